import { describe, expect, it } from "vitest";
import {
  I8042_OFFSET,
  I8042_PIN,
  type I8042State,
  i8042,
  passesA20,
  pressKeys,
  resetI8042,
  typeText,
} from "./i8042.js";
import { KEYS, type KeyName, scanCode } from "./keyboard-layout.js";
import { toSet1 } from "./scan-code-translation.js";

const { data, command } = I8042_OFFSET;

function written(state: I8042State, ...writes: readonly (readonly [number, number])[]): I8042State {
  return writes.reduce((next, [offset, value]) => i8042.write(next, offset, 1, value, 0), state);
}

const status = (state: I8042State): number => i8042.read(state, command, 1, 0).value;
const pin = (state: I8042State, number: number): boolean => i8042.interrupt!(state, number);

/** Every byte a polling driver reads, and the state after it. */
function drain(state: I8042State): { state: I8042State; bytes: number[] } {
  const bytes: number[] = [];
  while ((status(state) & 1) !== 0) {
    const byte = i8042.read(state, data, 1, 0);
    bytes.push(byte.value);
    state = byte.state;
  }
  return { state, bytes };
}

const bytesOf = (state: I8042State): number[] => drain(state).bytes;
/** What the keyboard answers to bytes, without translation. */
const answers = (...bytes: readonly number[]): number[] =>
  bytesOf(written(i8042.reset(), [command, 0x60], [data, 0x24], ...bytes.map((byte) => [data, byte] as const)));
const afterCommands = (...bytes: readonly number[]): I8042State =>
  drain(written(i8042.reset(), ...bytes.map((byte) => [data, byte] as const))).state;
const raw = (state: I8042State): I8042State => written(state, [command, 0x60], [data, 0x25]);

describe("the 8042", () => {
  it("has nothing to read and an unlocked, tested keyboard after reset", () => {
    expect(status(i8042.reset())).toBe(0x1c);
    expect(status(written(i8042.reset(), [data, 0xed]))).toBe(0x15);
  });

  it("gives and takes its command byte", () => {
    expect(bytesOf(written(i8042.reset(), [command, 0x20]))).toEqual([0x65]);
    expect(bytesOf(written(i8042.reset(), [command, 0x60], [data, 0x47], [command, 0x20]))).toEqual([0x47]);
  });

  it("passes its own tests and those of both interfaces", () => {
    expect(bytesOf(written(i8042.reset(), [command, 0xaa]))).toEqual([0x55]);
    expect(bytesOf(written(i8042.reset(), [command, 0xab]))).toEqual([0x00]);
    expect(bytesOf(written(i8042.reset(), [command, 0xa9]))).toEqual([0x00]);
  });

  it("enables and disables both interfaces by command and by command byte", () => {
    const byte = (...commands: readonly number[]): number[] =>
      bytesOf(written(i8042.reset(), ...commands.map((c) => [command, c] as const), [command, 0x20]));
    expect([byte(0xad), byte(0xad, 0xae), byte(0xa8), byte(0xa8, 0xa7)]).toEqual([[0x75], [0x65], [0x45], [0x65]]);
  });

  it("keeps typed keys waiting while the keyboard's interface is disabled, and enables it for a byte to the keyboard", () => {
    const typed = typeText(written(i8042.reset(), [command, 0xad]), "a");
    expect(bytesOf(typed)).toEqual([]);
    expect(bytesOf(written(typed, [command, 0xae]))).toEqual([0x1e, 0x9e]);
    expect(bytesOf(written(typed, [data, 0xee]))).toEqual([0xee, 0x1e, 0x9e]);
  });

  it("says which port a byte came from, and raises that port's interrupt if it is on", () => {
    const keyboard = written(i8042.reset(), [command, 0xd2], [data, 0x5a]);
    expect(status(keyboard) & 0x21).toBe(0x01);
    expect([pin(keyboard, I8042_PIN.keyboard), pin(keyboard, I8042_PIN.auxiliary)]).toEqual([true, false]);
    const auxiliary = written(i8042.reset(), [command, 0x60], [data, 0x47], [command, 0xd3], [data, 0x5a]);
    expect(status(auxiliary) & 0x21).toBe(0x21);
    expect([pin(auxiliary, I8042_PIN.keyboard), pin(auxiliary, I8042_PIN.auxiliary)]).toEqual([false, true]);
    expect(pin(written(i8042.reset(), [command, 0x60], [data, 0x44], [command, 0xd2], [data, 1]), 0)).toBe(false);
  });

  it("answers a byte to the auxiliary port with a timeout, as where no mouse is", () => {
    const state = written(i8042.reset(), [command, 0xd4], [data, 0xff]);
    expect(status(state) & 0x61).toBe(0x61);
    const { state: after, value } = i8042.read(state, data, 1, 0);
    expect(value).toBe(0xfe);
    expect(status(after) & 0x61).toBe(0);
  });

  it("gives the last byte again when there is no new one, without a change", () => {
    const { state } = drain(typeText(i8042.reset(), "a"));
    expect(i8042.read(state, data, 1, 0)).toEqual({ state, value: 0x9e });
    expect(i8042.read(state, data, 1, 0).state).toBe(state);
  });

  it("lets address line 20 pass as its output port says, from reset on as firmware left it", () => {
    expect([passesA20(resetI8042(true)), passesA20(resetI8042(false))]).toEqual([true, false]);
    expect(passesA20(written(i8042.reset(), [command, 0xd1], [data, 0xdd]))).toBe(false);
    expect(passesA20(written(resetI8042(false), [command, 0xd1], [data, 0xdf]))).toBe(true);
    expect(passesA20(written(i8042.reset(), [command, 0xdd]))).toBe(false);
    expect(passesA20(written(i8042.reset(), [command, 0xdd], [command, 0xdf]))).toBe(true);
    expect(bytesOf(written(i8042.reset(), [command, 0xd0]))).toEqual([0xc3]);
  });

  it("resets when output line 0 is pulsed or written low, and for nothing else", () => {
    const resets = (state: I8042State, offset: number, value: number) => i8042.resetsOnWrite!(state, offset, value);
    const start = i8042.reset();
    expect([0xfe, 0xf0, 0xff, 0xd1, 0xfd].map((c) => resets(start, command, c))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    const port = written(start, [command, 0xd1]);
    expect([0xfe, 0x02, 0xdf].map((value) => resets(port, data, value))).toEqual([true, true, false]);
    expect(resets(start, data, 0xfe)).toBe(false);
  });

  it("gives its replies before what the keyboard has, one at a time", () => {
    const state = written(typeText(i8042.reset(), "a"), [command, 0x20], [command, 0xc0]);
    expect(bytesOf(state)).toEqual([0x1e, 0x65, 0xa0, 0x9e]);
  });
});

describe("the keyboard behind the 8042", () => {
  it("answers its commands", () => {
    expect(answers(0xee)).toEqual([0xee]);
    expect(answers(0xed, 0x05)).toEqual([0xfa, 0xfa]);
    expect(answers(0xf2)).toEqual([0xfa, 0xab, 0x83]);
    expect(answers(0xf3, 0x20)).toEqual([0xfa, 0xfa]);
    expect(answers(0xf0, 0x00)).toEqual([0xfa, 0xfa, 0x02]);
    expect(answers(0xf0, 0x03, 0xf0, 0x00)).toEqual([0xfa, 0xfa, 0xfa, 0xfa, 0x03]);
    expect(answers(0xf0, 0x04)).toEqual([0xfa, 0xfe]);
    expect(answers(0xff)).toEqual([0xfa, 0xaa]);
    expect(answers(0x12)).toEqual([0xfe]);
    expect(answers(0xf4, 0xf5, 0xf6)).toEqual([0xfa, 0xfa, 0xfa]);
  });

  it("sends its last byte again for a resend", () => {
    const { state } = drain(raw(typeText(i8042.reset(), "a")));
    expect(bytesOf(written(state, [data, 0xfe]))).toEqual([0x1c]);
  });

  it("takes a command in the place of a data byte", () => {
    expect(answers(0xed, 0xee)).toEqual([0xfa, 0xee]);
  });

  it("remembers lights and typematic rate", () => {
    expect(afterCommands(0xed, 0x07, 0xf3, 0x7f).keyboard).toMatchObject({ leds: 7, typematic: 0x7f });
    expect(afterCommands(0xed, 0x07, 0xff).keyboard).toMatchObject({ leds: 0, typematic: 0x2b });
  });

  it("looks at no key between 0xF5 and 0xF4, and loses none", () => {
    const typed = typeText(afterCommands(0xf5), "a");
    expect(bytesOf(typed)).toEqual([]);
    expect(bytesOf(written(typed, [data, 0xf4]))).toEqual([0xfa, 0x1e, 0x9e]);
  });

  it("sends scan code set 2, and set 1 through the translation", () => {
    expect(bytesOf(raw(typeText(raw(i8042.reset()), "aB")))).toEqual([
      ...[0x1c, 0xf0, 0x1c],
      ...[0x12, 0x32, 0xf0, 0x32, 0xf0, 0x12],
    ]);
    expect(bytesOf(typeText(i8042.reset(), "aB\n"))).toEqual([0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa, 0x1c, 0x9c]);
  });

  it("sends the set it is told to", () => {
    const inSet = (set: number): number[] => {
      const ready = drain(written(raw(i8042.reset()), [data, 0xf0], [data, set])).state;
      return bytesOf(pressKeys(ready, ["left"]));
    };
    expect(inSet(1)).toEqual([0xe0, 0x4b, 0xe0, 0xcb]);
    expect(inSet(2)).toEqual([0xe0, 0x6b, 0xe0, 0xf0, 0x6b]);
    expect(inSet(3)).toEqual([0x61, 0xf0, 0x61]);
  });

  it("sends what a translated PC keyboard sends for every key: its set 1 code", () => {
    for (const name of Object.keys(KEYS) as KeyName[]) {
      const expected = [...scanCode(name, false, 1), ...scanCode(name, true, 1)].map((c) => c.charCodeAt(0));
      expect(bytesOf(pressKeys(i8042.reset(), [name])), name).toEqual(expected);
    }
  });

  it("translates every byte to a different one below 0x84, but for those of the two keys above it", () => {
    const all = Array.from({ length: 0x83 }, (_, byte) => toSet1(byte));
    expect(new Set(all).size).toBe(all.length);
    expect([toSet1(0x83), toSet1(0x84), toSet1(0xfa), toSet1(0xaa)]).toEqual([0x41, 0x54, 0xfa, 0xaa]);
  });

  it("holds keys down together and lets them go in reverse", () => {
    expect(bytesOf(pressKeys(i8042.reset(), ["ctrl", "alt", "delete"]))).toEqual([
      ...[0x1d, 0x38, 0xe0, 0x53],
      ...[0xe0, 0xd3, 0xb8, 0x9d],
    ]);
  });

  it("types every printable ASCII character, and a text longer than its queue in order", () => {
    const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
    expect(bytesOf(typeText(i8042.reset(), printable)).length).toBe(2 * (95 - 47) + 4 * 47);
    const digits = "1234567890".repeat(100);
    const made = bytesOf(typeText(i8042.reset(), digits)).filter((byte) => byte < 0x80);
    expect(made.map((code) => "1234567890"[code - 2]).join("")).toBe(digits);
  });

  it("refuses characters and keys it does not have", () => {
    expect(() => typeText(i8042.reset(), "é")).toThrow('keyboard: a US layout has no key for "é" (U+00e9)');
    expect(() => typeText(i8042.reset(), "\x01")).toThrow("U+0001");
    expect(() => pressKeys(i8042.reset(), ["any"])).toThrow('keyboard: there is no key "any"');
  });
});
