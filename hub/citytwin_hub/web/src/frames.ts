// Decodes the binary frames of the live stream (docs/architecture.md, WS /live).

export interface Samples {
  rows: Int32Array;
  timeMs: Float64Array;
  value: Float64Array;
  quality: Uint8Array;
}

const HEADER_BYTES = 8;
const SAMPLE_BYTES = 4 + 8 + 8 + 1;
const VERSION = 1;

/** Returns the samples of one frame; throws a RangeError for a frame that is not one. */
export function decodeFrame(buffer: ArrayBuffer): Samples {
  if (buffer.byteLength < HEADER_BYTES) throw new RangeError("live frame: shorter than its header");
  const view = new DataView(buffer);
  if (view.getUint8(0) !== VERSION) throw new RangeError(`live frame: version ${view.getUint8(0)}`);
  const count = view.getUint32(4, true);
  if (buffer.byteLength !== HEADER_BYTES + count * SAMPLE_BYTES) {
    throw new RangeError(`live frame: ${buffer.byteLength} bytes do not hold ${count} samples`);
  }
  // Columns are copied out: only a copy is sure to be aligned for its type.
  let offset = HEADER_BYTES;
  const column = (bytes: number): ArrayBuffer => {
    const part = buffer.slice(offset, offset + bytes * count);
    offset += bytes * count;
    return part;
  };
  return {
    rows: new Int32Array(column(4)),
    timeMs: new Float64Array(column(8)),
    value: new Float64Array(column(8)),
    quality: new Uint8Array(column(1)),
  };
}
