// The marks of the map: a colour and a shape for each state, so that colour is never the only sign.
import type { State } from "./quality";

/** Okabe and Ito's palette, told apart with any kind of colour vision. */
export const COLOURS: Record<State, string> = {
  good: "#009e73",
  low: "#56b4e9",
  high: "#e69f00",
  stale: "#6b7280",
  uncertain: "#cc79a7",
  unusual: "#f0e442",
  bad: "#d55e00",
  none: "#8a8f98",
};

/** On what is as bright as yellow, white cannot be seen. */
const DARK = "#1f2937";

const SIZE = 44;
const MIDDLE = SIZE / 2;

type Pen = CanvasRenderingContext2D;

function polygon(pen: Pen, corners: number, radius: number, turn: number): void {
  pen.beginPath();
  for (let corner = 0; corner < corners; corner++) {
    const angle = turn + (corner * 2 * Math.PI) / corners;
    pen.lineTo(MIDDLE + radius * Math.cos(angle), MIDDLE + radius * Math.sin(angle));
  }
  pen.closePath();
}

const SHAPES: Record<State, (pen: Pen) => void> = {
  good: (pen) => {
    pen.beginPath();
    pen.arc(MIDDLE, MIDDLE, 11, 0, 2 * Math.PI);
  },
  low: (pen) => polygon(pen, 3, 16, Math.PI / 2),
  high: (pen) => polygon(pen, 3, 16, -Math.PI / 2),
  stale: (pen) => {
    pen.beginPath();
    pen.arc(MIDDLE, MIDDLE, 12, 0, 2 * Math.PI);
  },
  uncertain: (pen) => polygon(pen, 4, 14, -Math.PI / 2),
  unusual: (pen) => polygon(pen, 6, 14, 0),
  bad: (pen) => polygon(pen, 4, 16, Math.PI / 4),
  none: (pen) => {
    pen.beginPath();
    pen.arc(MIDDLE, MIDDLE, 9, 0, 2 * Math.PI);
  },
};

function drawn(paint: (pen: Pen) => void): ImageData {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("this browser gives no canvas to draw on");
  pen.lineJoin = "round";
  paint(pen);
  return pen.getImageData(0, 0, SIZE, SIZE);
}

/** Returns the mark of a device in a state, at twice its size on the map. */
export function deviceMark(state: State): ImageData {
  return drawn((pen) => {
    SHAPES[state](pen);
    pen.fillStyle = state === "none" ? "#ffffff" : COLOURS[state];
    pen.strokeStyle = state === "none" ? COLOURS.none : state === "unusual" ? DARK : "#ffffff";
    pen.lineWidth = 4;
    pen.fill();
    pen.stroke();
    if (state === "stale") {
      // The hands of a clock: this was so some time ago.
      pen.beginPath();
      pen.moveTo(MIDDLE, MIDDLE - 7);
      pen.lineTo(MIDDLE, MIDDLE);
      pen.lineTo(MIDDLE + 5, MIDDLE);
      pen.lineWidth = 3;
      pen.stroke();
    }
    if (state === "unusual") {
      pen.fillStyle = DARK;
      pen.fillRect(MIDDLE - 1.5, MIDDLE - 8, 3, 10);
      pen.fillRect(MIDDLE - 1.5, MIDDLE + 4, 3, 3);
    }
    if (state === "bad") {
      pen.beginPath();
      pen.moveTo(MIDDLE - 6, MIDDLE - 6);
      pen.lineTo(MIDDLE + 6, MIDDLE + 6);
      pen.moveTo(MIDDLE + 6, MIDDLE - 6);
      pen.lineTo(MIDDLE - 6, MIDDLE + 6);
      pen.stroke();
    }
  });
}

/** Returns the mark of a gateway: a framed house, filled while it is connected. */
export function gatewayMark(connected: boolean): ImageData {
  return drawn((pen) => {
    pen.beginPath();
    pen.roundRect(8, 8, SIZE - 16, SIZE - 16, 6);
    pen.fillStyle = connected ? "#0072b2" : "#ffffff";
    pen.strokeStyle = connected ? "#ffffff" : COLOURS.bad;
    pen.lineWidth = 4;
    pen.fill();
    pen.stroke();
    pen.fillStyle = connected ? "#ffffff" : COLOURS.bad;
    for (const x of [15, 22, 29]) pen.fillRect(x - 2, 20, 4, 4);
  });
}

/** Returns the same shape as an inline SVG for lists and the legend. */
export function markSvg(state: State): string {
  const colour = COLOURS[state];
  const shapes: Record<State, string> = {
    good: `<circle cx="8" cy="8" r="5.5" fill="${colour}"/>`,
    low: `<path d="M8 14.5 15 2H1z" fill="${colour}"/>`,
    high: `<path d="M8 1.5 15 14H1z" fill="${colour}"/>`,
    stale: `<circle cx="8" cy="8" r="6" fill="${colour}"/><path d="M8 4v4h3" stroke="#fff" stroke-width="1.6" fill="none"/>`,
    uncertain: `<path d="M8 1 15 8 8 15 1 8z" fill="${colour}"/>`,
    unusual: `<path d="M4.5 2h7L15 8l-3.5 6h-7L1 8z" fill="${colour}" stroke="${DARK}"/><path d="M8 4.5v4.5m0 1.5v1.5" stroke="${DARK}" stroke-width="1.6"/>`,
    bad: `<path d="M2 2h12v12H2z" fill="${colour}"/><path d="m5 5 6 6m0-6-6 6" stroke="#fff" stroke-width="2"/>`,
    none: `<circle cx="8" cy="8" r="5" fill="none" stroke="${colour}" stroke-width="2"/>`,
  };
  return `<svg class="mark" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${shapes[state]}</svg>`;
}
