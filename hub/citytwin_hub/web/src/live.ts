// Keeps the live stream open: one WebSocket, reconnected with a growing, bounded pause.
import { decodeFrame, type Samples } from "./frames";
import type { Alarm, Command, Gateway } from "./types";

export type LiveMessage =
  | { type: "hello"; now_ms: number }
  | { type: "alarms"; alarms: Alarm[] }
  | { type: "gateways"; gateways: Gateway[] }
  | { type: "command"; command: Command };

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
/** The hub speaks at least this often (a gateways message); longer silence is a dead line. */
const SILENCE_MS_MAX = 30_000;

const POLICY_VIOLATION = 1008;

export interface LiveHandlers {
  samples(samples: Samples): void;
  message(message: LiveMessage): void;
  state(connected: boolean): void;
  /** The hub does not take the token (any longer); the stream has ended. */
  refused(): void;
}

export class Live {
  private socket: WebSocket | null = null;
  private retryMs = RETRY_MS_MIN;
  private timer = 0;
  private silence = 0;
  private stopped = false;

  constructor(
    private readonly token: string,
    private readonly handlers: LiveHandlers,
  ) {}

  start(): void {
    const url = new URL("api/v1/live", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ token: this.token }));
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.lost(socket, event.code);
    this.watch(socket);
  }

  stop(): void {
    this.stopped = true;
    window.clearTimeout(this.timer);
    window.clearTimeout(this.silence);
    this.socket?.close();
  }

  private receive(data: unknown): void {
    if (this.socket) this.watch(this.socket);
    if (data instanceof ArrayBuffer) {
      this.handlers.samples(decodeFrame(data));
      return;
    }
    const message = JSON.parse(String(data)) as LiveMessage;
    if (message.type === "hello") {
      this.retryMs = RETRY_MS_MIN;
      this.handlers.state(true);
    }
    this.handlers.message(message);
  }

  private watch(socket: WebSocket): void {
    window.clearTimeout(this.silence);
    this.silence = window.setTimeout(() => socket.close(), SILENCE_MS_MAX);
  }

  private lost(socket: WebSocket, code: number): void {
    if (this.stopped || socket !== this.socket) return;
    this.handlers.state(false);
    if (code === POLICY_VIOLATION) this.handlers.refused();
    if (this.stopped) return;
    window.clearTimeout(this.silence);
    this.timer = window.setTimeout(() => this.start(), this.retryMs);
    this.retryMs = Math.min(RETRY_MS_MAX, this.retryMs * 2);
  }
}
