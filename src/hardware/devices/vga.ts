/**
 * The registers of a VGA, as far as text needs them. Its memory at B8000 is RAM of the machine; who shows the screen reads
 * both (`inspect/screen.ts`).
 *
 * Every register can be written and read back. What time changes is input status 1, computed from the tick: 70 pictures of
 * 449 lines a second.
 *
 * Left out on purpose: graphics modes and what planes, latches and fonts in memory are for; interrupts of the retrace;
 * protection of CRTC registers 0 to 7 but for the bit that says so.
 *
 * Manual: IBM VGA XGA Technical Reference, "VGA Function"; FreeVGA Project, "VGA I/O Port Summary".
 */
import type { BusDevice } from "./bus-device.js";
import type { ReadResult } from "./device.js";
import { TICKS_PER_SECOND } from "./mc146818.js";

/** Register offsets: those of the ports from 0x3B4 on. */
export const VGA_OFFSET = {
  monochromeIndex: 0x00,
  monochromeData: 0x01,
  monochromeStatus: 0x06,
  attribute: 0x0c,
  attributeData: 0x0d,
  misc: 0x0e,
  sequencerIndex: 0x10,
  sequencerData: 0x11,
  dacMask: 0x12,
  dacReadIndex: 0x13,
  dacWriteIndex: 0x14,
  dacData: 0x15,
  feature: 0x16,
  miscRead: 0x18,
  graphicsIndex: 0x1a,
  graphicsData: 0x1b,
  index: 0x20,
  data: 0x21,
  status: 0x26,
} as const;

/** CRTC registers that text needs, by index. */
export const CRTC = {
  horizontalDisplayEnd: 0x01,
  overflow: 0x07,
  maximumScanLine: 0x09,
  cursorStart: 0x0a,
  cursorEnd: 0x0b,
  startHigh: 0x0c,
  startLow: 0x0d,
  cursorHigh: 0x0e,
  cursorLow: 0x0f,
  verticalDisplayEnd: 0x12,
  offset: 0x13,
} as const;

export interface VgaState {
  readonly MISC: number;
  readonly FEAT: number;
  readonly sequencerIndex: number;
  readonly sequencer: readonly number[];
  readonly crtcIndex: number;
  readonly crtc: readonly number[];
  readonly graphicsIndex: number;
  readonly graphics: readonly number[];
  /** Index with the bit that lets the palette through; and whether the next write is data. */
  readonly attributeIndex: number;
  readonly attributeIsData: boolean;
  readonly attribute: readonly number[];
  readonly dacMask: number;
  /** Entries of 6 bits of red, green and blue: red uppermost. */
  readonly dac: readonly number[];
  /** The next entry to be read or written, which of its colours, and which of the two. */
  readonly dacIndex: number;
  readonly dacColour: number;
  readonly dacReads: boolean;
  /** The colours of an entry that have been written so far. */
  readonly dacLatch: number;
}

/** What a VGA's BIOS sets for mode 3, 80 by 25 characters of 9 by 16. Spec: FreeVGA Project, "VGA Mode 3". */
export const MODE_3 = {
  misc: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  crtc: [
    ...[0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00],
    ...[0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff],
  attribute: [
    ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07],
    ...[0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f],
    ...[0x0c, 0x00, 0x0f, 0x08, 0x00],
  ],
} as const;
const PALETTE_THROUGH = 0x20;
const INDEX = 0x1f;
/** MISC: CRTC and status are at 3Dx and not at 3Bx. */
const COLOUR_ADDRESSES = 0x01;
/** CRTC register 0x11: registers 0 to 7 cannot be written. */
const PROTECT = 0x80;

const LINES = 449;
const LINES_SHOWN = 400;
const RETRACE = { first: 412, last: 413 } as const;
const TICKS_PER_LINE = TICKS_PER_SECOND / (70 * LINES);
const STATUS = { disabled: 0x01, retrace: 0x08 } as const;

/** The 64 colours of an EGA: two bits of each of red, green and blue. */
const egaColour = (number: number): number => {
  const level = (bright: number, dim: number): number => ((number >> dim) & 1) * 0x2a + ((number >> bright) & 1) * 0x15;
  return (level(5, 2) << 12) | (level(4, 1) << 6) | level(3, 0);
};

export const vga: BusDevice<VgaState> = {
  name: "VGA",
  spec: 'IBM VGA XGA Technical Reference, "VGA Function"',

  reset: () => ({
    MISC: MODE_3.misc,
    FEAT: 0,
    sequencerIndex: 0,
    sequencer: MODE_3.sequencer,
    crtcIndex: 0,
    crtc: MODE_3.crtc,
    graphicsIndex: 0,
    graphics: MODE_3.graphics,
    attributeIndex: PALETTE_THROUGH,
    attributeIsData: false,
    attribute: MODE_3.attribute,
    dacMask: 0xff,
    dac: Array.from({ length: 256 }, (_, number) => (number < 64 ? egaColour(number) : 0)),
    dacIndex: 0,
    dacColour: 0,
    dacReads: false,
    dacLatch: 0,
  }),

  read(state, offset, _size, tick): ReadResult<VgaState> {
    const place = placeOf(state, offset);
    switch (place) {
      case VGA_OFFSET.status:
        // Reading it makes the attribute controller's next write an index.
        return {
          state: state.attributeIsData ? { ...state, attributeIsData: false } : state,
          value: statusAt(tick),
        };
      case VGA_OFFSET.dacData:
        return { state: withNextColour(state), value: colourOf(state) };
      default:
        return { state, value: registerAt(state, place) };
    }
  },

  write(state, offset, _size, value): VgaState {
    const place = placeOf(state, offset);
    switch (place) {
      case VGA_OFFSET.attribute:
        return writeAttribute(state, value);
      case VGA_OFFSET.dacReadIndex:
      case VGA_OFFSET.dacWriteIndex:
        return { ...state, dacIndex: value, dacColour: 0, dacReads: place === VGA_OFFSET.dacReadIndex };
      case VGA_OFFSET.dacData:
        return writeColour(state, value & 0x3f);
      case VGA_OFFSET.data:
        return writeCrtc(state, value);
      case VGA_OFFSET.sequencerData:
        return { ...state, sequencer: put(state.sequencer, state.sequencerIndex, value) };
      case VGA_OFFSET.graphicsData:
        return { ...state, graphics: put(state.graphics, state.graphicsIndex, value) };
      default: {
        const name = WRITTEN[place];
        return name === undefined ? state : { ...state, [name]: value };
      }
    }
  },
};

/** Registers that are written as a whole, by their offsets for writing. */
const WRITTEN: { readonly [offset: number]: keyof VgaState } = {
  [VGA_OFFSET.misc]: "MISC",
  [VGA_OFFSET.status]: "FEAT",
  [VGA_OFFSET.sequencerIndex]: "sequencerIndex",
  [VGA_OFFSET.graphicsIndex]: "graphicsIndex",
  [VGA_OFFSET.index]: "crtcIndex",
  [VGA_OFFSET.dacMask]: "dacMask",
};

const NOWHERE = -1;

/** The offset of a colour screen's register; those of a monochrome one are the same where MISC says so. */
function placeOf({ MISC }: VgaState, offset: number): number {
  const colour = (MISC & COLOUR_ADDRESSES) !== 0;
  const { monochromeIndex, monochromeData, monochromeStatus, index, data, status } = VGA_OFFSET;
  if (offset === monochromeIndex || offset === monochromeData || offset === monochromeStatus)
    return colour ? NOWHERE : offset + index;
  if (offset === index || offset === data || offset === status) return colour ? offset : NOWHERE;
  return offset;
}

function registerAt(state: VgaState, place: number): number {
  switch (place) {
    case VGA_OFFSET.attribute:
      return state.attributeIndex;
    case VGA_OFFSET.attributeData:
      return state.attribute[state.attributeIndex & INDEX] ?? 0;
    case VGA_OFFSET.misc:
      // Input status 0: the switch that says there is a colour screen.
      return 0x10;
    case VGA_OFFSET.sequencerIndex:
      return state.sequencerIndex;
    case VGA_OFFSET.sequencerData:
      return state.sequencer[state.sequencerIndex] ?? 0;
    case VGA_OFFSET.dacMask:
      return state.dacMask;
    case VGA_OFFSET.dacReadIndex:
      return state.dacReads ? 3 : 0;
    case VGA_OFFSET.dacWriteIndex:
      return state.dacIndex;
    case VGA_OFFSET.feature:
      return state.FEAT;
    case VGA_OFFSET.miscRead:
      return state.MISC;
    case VGA_OFFSET.graphicsIndex:
      return state.graphicsIndex;
    case VGA_OFFSET.graphicsData:
      return state.graphics[state.graphicsIndex] ?? 0;
    case VGA_OFFSET.index:
      return state.crtcIndex;
    case VGA_OFFSET.data:
      return state.crtc[state.crtcIndex] ?? 0;
    default:
      return 0xff;
  }
}

/** Registers with one replaced; an index that has none changes nothing. */
const put = (registers: readonly number[], index: number, value: number): readonly number[] =>
  index < registers.length && registers[index] !== value ? registers.with(index, value) : registers;

function writeAttribute(state: VgaState, value: number): VgaState {
  const next = { ...state, attributeIsData: !state.attributeIsData };
  if (!state.attributeIsData) return { ...next, attributeIndex: value };
  return { ...next, attribute: put(state.attribute, state.attributeIndex & INDEX, value) };
}

/** Register 0x11 protects 0 to 7, but for bit 4 of register 7. */
function writeCrtc(state: VgaState, value: number): VgaState {
  const { crtc, crtcIndex } = state;
  const isProtected = crtcIndex < 8 && (crtc[0x11]! & PROTECT) !== 0;
  if (!isProtected) return { ...state, crtc: put(crtc, crtcIndex, value) };
  if (crtcIndex !== CRTC.overflow) return state;
  return { ...state, crtc: put(crtc, crtcIndex, (crtc[crtcIndex]! & ~0x10) | (value & 0x10)) };
}

const colourOf = ({ dac, dacIndex, dacColour }: VgaState): number => (dac[dacIndex]! >> (6 * (2 - dacColour))) & 0x3f;

/** An entry is written when its third colour comes. */
function writeColour(state: VgaState, value: number): VgaState {
  const { dac, dacIndex, dacColour } = state;
  const dacLatch = ((state.dacLatch << 6) | value) & 0x3ffff;
  return withNextColour({ ...state, dacLatch, dac: dacColour === 2 ? put(dac, dacIndex, dacLatch) : dac });
}

function withNextColour(state: VgaState): VgaState {
  const { dacIndex, dacColour } = state;
  return dacColour < 2
    ? { ...state, dacColour: dacColour + 1 }
    : { ...state, dacColour: 0, dacIndex: (dacIndex + 1) & 0xff };
}

/** Input status 1. */
function statusAt(tick: number): number {
  const line = Math.floor(tick / TICKS_PER_LINE) % LINES;
  if (line < LINES_SHOWN) return 0;
  return STATUS.disabled | (line >= RETRACE.first && line <= RETRACE.last ? STATUS.retrace : 0);
}
