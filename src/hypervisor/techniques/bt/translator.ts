/**
 * The translator: instructions of a guest's kernel to the ones that are executed in their place. It only reads bytes and gives bytes.
 *
 * A unit begins at an address that is executed next, and goes on to the first transfer of control that is always made, to the end of the page,
 * or over `MOST` instructions. Conditional jumps do not end it: not taken, they go on behind themselves, as in the guest.
 *
 * What the guest's kernel could tell from registers, memory and flags is always its own: calls push the guest's address, and no sequence
 * touches a flag. Time, too: a copied instruction takes as many steps as it takes the guest, and what sequences take beyond is
 * counted in a word, by MOV and LEA.
 * Spec: Adams and Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization", 2006, section 3.
 */
import { includes, type ModelName } from "../../../hardware/cpu/model.js";
import { assemble } from "../../../hardware/isa/assembler/assembler.js";
import { decode } from "../../../hardware/isa/decoder.js";
import type { DecodedInstruction } from "../../../hardware/isa/instruction.js";
import { CALL_OUT } from "../../layout.js";
import { WORD } from "./layout.js";
import { treatment } from "./sensitive.js";

/** Instructions of a unit at the most. */
const MOST = 32;
const PAGE = 4096;
const [EAX, ECX] = [1, 2];

/** Why translated code calls the hypervisor. */
export type CallOut =
  /** To execute the guest's instruction: on the virtual processor, or by the engine. */
  | { readonly kind: "emulate" | "simulate" }
  /** The guest goes on where nothing is translated yet. `patch`: the jump that is to lead there, from the block's start. */
  | { readonly kind: "chain"; readonly target: number; readonly patch: number }
  /** The target of an indirect transfer, in its word, is not in the table. */
  | { readonly kind: "indirect" };

/** What the guest's state is in front of an instruction of the output. */
export interface OutputPlace {
  /** Bytes from the block's start. */
  readonly at: number;
  /** The guest's EIP; -1: it is in its word. */
  readonly guest: number;
  /** Host instructions beyond the guest's that its word does not count yet; below 0: that it counts already. */
  readonly extra: number;
  /** Registers whose guest's values are in their words: 1 EAX, 2 ECX. */
  readonly saved: number;
  /** The guest's instruction begins here, with everything in its place: the guest can be entered. */
  readonly start: boolean;
  readonly callOut?: CallOut;
}

export interface Translated {
  /** What was translated. */
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  /** In the order of their addresses. */
  readonly places: readonly OutputPlace[];
}

export interface TranslationRequest {
  /** EIP of the first instruction; the code segment begins at 0. */
  readonly guest: number;
  /** A byte of the guest's code. May throw. */
  readonly byteAt: (linear: number) => number;
  /** Linear address of the output. */
  readonly at: number;
  /** Linear address of a translation that there is. */
  readonly translated: (guest: number) => number | undefined;
  readonly model: ModelName;
}

type Note = Omit<OutputPlace, "at" | "start" | "callOut"> & {
  readonly start?: true;
  readonly callOut?: { readonly kind: "emulate" | "simulate" | "indirect" } | Chain;
};
interface Chain {
  readonly kind: "chain";
  readonly target: number;
  /** Label of the jump. */
  readonly patch: string;
}

const hexBytes = (bytes: Iterable<number>): string => `db ${[...bytes].join(", ")}`;
const word = (offset: number): string => `[gs:${offset}]`;

/** The text of the output, line by line, with what holds in front of each. */
class Output {
  readonly #lines: string[] = [];
  readonly #notes = new Map<number, Note>();
  /** Labels of the guest's instructions. */
  readonly #starts = new Set<number>();
  readonly #tail: (() => void)[] = [];
  readonly #translated: TranslationRequest["translated"];
  #labels = 0;

  constructor(translated: TranslationRequest["translated"]) {
    this.#translated = translated;
  }

  begin(eip: number): void {
    this.#starts.add(eip);
    this.#lines.push(`g${eip}:`);
  }

  line(text: string, note: Note): void {
    this.#lines.push(text);
    this.#notes.set(this.#lines.length, note);
  }

  /** One without a meaning of its own. */
  label(name: string): void {
    this.#lines.push(`${name}:`);
  }

  fill(text: string): void {
    this.#lines.push(text);
  }

  newLabel(): string {
    return `l${this.#labels++}`;
  }

  /** Where a translation of the guest's address is, as far as it is known. */
  destination(target: number): string | undefined {
    if (this.#starts.has(target)) return `g${target}`;
    const known = this.#translated(target);
    return known === undefined ? undefined : String(known);
  }

  /** To be put out behind everything else. */
  later(work: () => void): void {
    this.#tail.push(work);
  }

  finish(at: number): Omit<Translated, "input"> {
    for (const work of this.#tail) work();
    const { bytes, listing, symbols } = assemble(this.#lines.join("\n"), { address: at, name: "translation" });
    const places: OutputPlace[] = [];
    for (const { line, address } of listing) {
      const note = this.#notes.get(line);
      if (note === undefined) continue;
      const { guest, extra, saved, start = false, callOut } = note;
      const asked =
        callOut?.kind === "chain"
          ? { ...callOut, patch: symbols[callOut.patch]! - at }
          : (callOut as CallOut | undefined);
      places.push({ at: address - at, guest, extra, saved, start, ...(asked === undefined ? {} : { callOut: asked }) });
    }
    return { output: bytes, places };
  }
}

/** In front of an instruction that is one in the guest, too. */
const startOf = ({ eip }: { readonly eip: number }): Note => ({ guest: eip, extra: 0, saved: 0, start: true });

/** A jump to a guest's address that may not be translated yet: 5 bytes which are a call-out until then. */
function jump(out: Output, target: number, note: Note): void {
  const known = out.destination(target);
  if (known !== undefined) {
    out.line(`jmp near ${known}`, note);
    return;
  }
  const patch = out.newLabel();
  out.label(patch);
  out.line(`int ${CALL_OUT}`, { ...note, callOut: { kind: "chain", target, patch } });
  out.fill("db 0x90, 0x90, 0x90");
}

/** Counts instructions beyond the guest's, `already` of which have been executed: 5 more. */
function count(out: Output, guest: number, beyond: number, start?: true): void {
  const note = (extra: number, saved: number): Note => ({ guest, extra, saved });
  out.line(`mov ${word(WORD.eax)}, eax`, { ...note(0, 0), ...(start ? { start } : {}) });
  out.line(`mov eax, ${word(WORD.extra)}`, note(1, 0));
  out.line(`lea eax, [eax + ${beyond}]`, note(2, EAX));
  out.line(`mov ${word(WORD.extra)}, eax`, note(3, EAX));
  out.line(`mov eax, ${word(WORD.eax)}`, note(4 - beyond, EAX));
}

/** Goes on at an address that the guest simply comes to. */
function goOn(out: Output, next: number): void {
  count(out, next, 6);
  jump(out, next, { guest: next, extra: -1, saved: 0 });
}

function callOut(out: Output, instruction: { readonly eip: number }, kind: "emulate" | "simulate"): void {
  out.line(`int ${CALL_OUT}`, { ...startOf(instruction), callOut: { kind } });
}

function directCall(out: Output, { eip, length }: DecodedInstruction, target: number): void {
  count(out, eip, 6, true);
  out.line(`push dword ${(eip + length) >>> 0}`, { guest: eip, extra: -1, saved: 0 });
  jump(out, target, { guest: target, extra: -1, saved: 0 });
}

function conditional(out: Output, instruction: DecodedInstruction, target: number): void {
  const mnemonic = instruction.row.mnemonic.toLowerCase();
  const known = out.destination(target);
  if (known !== undefined) {
    out.line(`${mnemonic} near ${known}`, startOf(instruction));
    return;
  }
  const [patch, stub] = [out.newLabel(), out.newLabel()];
  out.label(patch);
  out.line(`${mnemonic} near ${stub}`, startOf(instruction));
  out.later(() => {
    out.label(stub);
    out.line(`int ${CALL_OUT}`, { guest: target, extra: 0, saved: 0, callOut: { kind: "chain", target, patch } });
  });
}

/** LOOP and its kin reach 127 bytes only: they skip the way on. */
function counted(out: Output, instruction: DecodedInstruction, target: number): void {
  const taken = out.newLabel();
  out.line(`${instruction.row.mnemonic.toLowerCase()} ${taken}`, startOf(instruction));
  goOn(out, (instruction.eip + instruction.length) >>> 0);
  out.label(taken);
  goOn(out, target);
}

/**
 * A transfer to an address that is only known when it is made, by the table of translations. `load` brings the address into EAX; `commit` is
 * what the guest's instruction does beside, if there is something.
 */
function indirect(out: Output, { eip }: DecodedInstruction, load: string, commit: string | undefined): void {
  const hit = out.newLabel();
  let executed = 0;
  let counts = 0;
  const step = (text: string, saved: number, more: Partial<Note> = {}): void => {
    out.line(text, { guest: eip, extra: executed - counts, saved, ...more });
    executed++;
  };
  const beyond = commit === undefined ? 16 : 17;
  step(`mov ${word(WORD.eax)}, eax`, 0, { start: true });
  step(`mov ${word(WORD.ecx)}, ecx`, 0);
  step(load, 0);
  step(`mov ${word(WORD.target)}, eax`, EAX);
  step("movzx ecx, al", EAX);
  step(`mov ecx, [gs:ecx*8 + ${WORD.table}]`, EAX | ECX);
  step("lea ecx, [ecx + eax]", EAX | ECX);
  step(`jecxz ${hit}`, EAX | ECX);
  out.line(`int ${CALL_OUT}`, { guest: eip, extra: executed, saved: EAX | ECX, callOut: { kind: "indirect" } });
  out.label(hit);
  step("movzx ecx, al", EAX | ECX);
  step(`mov ecx, [gs:ecx*8 + ${WORD.table + 4}]`, EAX | ECX);
  step(`mov ${word(WORD.translation)}, ecx`, EAX | ECX);
  step(`mov eax, ${word(WORD.extra)}`, EAX | ECX);
  step(`lea eax, [eax + ${beyond}]`, EAX | ECX);
  step(`mov ${word(WORD.extra)}, eax`, EAX | ECX);
  counts = beyond;
  step(`mov eax, ${word(WORD.eax)}`, EAX | ECX);
  step(`mov ecx, ${word(WORD.ecx)}`, ECX);
  if (commit !== undefined) {
    step(commit, 0);
    // The guest's instruction is done.
    counts++;
  }
  step(`jmp near ${word(WORD.translation)}`, 0, commit === undefined ? {} : { guest: -1 });
}

/** MOV EAX, r/m of the operand of an instruction FF /n: its bytes but for opcode and register. */
function loadOperand(bytes: readonly number[]): string {
  const opcode = bytes.indexOf(0xff);
  const modrm = bytes[opcode + 1]!;
  return hexBytes([...bytes.slice(0, opcode), 0x8b, modrm & 0xc7, ...bytes.slice(opcode + 2)]);
}

/** Puts out a transfer of control. Gives whether the unit goes on behind it; undefined for what is none that is done here. */
function transfer(out: Output, instruction: DecodedInstruction, bytes: readonly number[]): boolean | undefined {
  const { row, operands, size, addressSize, eip, length } = instruction;
  const [operand] = operands;
  const wide = size === 32;
  if (operand?.kind === "target") {
    const counts = row.addressSized === true;
    if (!wide || (counts && addressSize !== 32)) return undefined;
    if (row.endsBlock !== true) {
      (counts ? counted : conditional)(out, instruction, operand.value);
      return !counts;
    }
    if (row.mnemonic === "CALL") directCall(out, instruction, operand.value);
    else jump(out, operand.value, startOf(instruction));
    return false;
  }
  if (row.endsBlock !== true || !wide) return undefined;
  if (row.mnemonic === "RET") {
    const released = operand?.kind === "immediate" ? operand.value & 0xffff : 0;
    indirect(out, instruction, "mov eax, [esp]", `lea esp, [esp + ${4 + released}]`);
    return false;
  }
  const commit = row.mnemonic === "CALL" ? `push dword ${(eip + length) >>> 0}` : undefined;
  if (row.mnemonic !== "CALL" && row.mnemonic !== "JMP") return undefined;
  indirect(out, instruction, loadOperand(bytes), commit);
  return false;
}

/**
 * Translates a unit. A first instruction that cannot be fetched, or is none, is left to the hypervisor, which meets its fault.
 */
export function translate({ guest, byteAt, at, translated, model }: TranslationRequest): Translated {
  const out = new Output(translated);
  const input: number[] = [];
  const page = Math.floor(guest / PAGE);
  let eip = guest;
  for (let number = 0; ; number++) {
    const bytes: number[] = [];
    const read = (index: number): number => {
      const linear = (eip + index) >>> 0;
      // What comes later may never be executed: no page is reached for it alone.
      if (number > 0 && Math.floor(linear / PAGE) !== page) throw BEYOND;
      bytes[index] ??= byteAt(linear);
      return bytes[index];
    };
    const instruction = number === MOST || Math.floor(eip / PAGE) !== page ? undefined : decoded(read, eip, model);
    if (instruction === undefined) {
      if (number > 0) goOn(out, eip);
      else {
        out.begin(eip);
        callOut(out, { eip }, "emulate");
      }
      break;
    }
    out.begin(eip);
    input.push(...bytes);
    if (!put(out, instruction, bytes)) break;
    eip = (eip + instruction.length) >>> 0;
  }
  return { input: Uint8Array.from(input), ...out.finish(at) };
}

const BEYOND = Symbol("code on another page");

/** The instruction, if it is one that the model has and that can be fetched. */
function decoded(read: (index: number) => number, eip: number, model: ModelName): DecodedInstruction | undefined {
  try {
    const instruction = decode(read, eip, 32);
    return instruction.row !== undefined && includes(model, instruction.row.needs) ? instruction : undefined;
  } catch {
    return undefined;
  }
}

/** Puts out one instruction. Gives whether the unit goes on behind it. */
function put(out: Output, instruction: DecodedInstruction, bytes: readonly number[]): boolean {
  const { row } = instruction;
  const how = treatment(instruction);
  const transferred = how === "ident" ? transfer(out, instruction, bytes) : undefined;
  if (transferred !== undefined) return transferred;
  const relative = instruction.operands.some(({ kind }) => kind === "target");
  const ends = row.endsBlock === true || relative;
  if (how === "ident" && !relative && (!ends || row.group !== "control transfer"))
    out.line(hexBytes(bytes), startOf(instruction));
  else callOut(out, instruction, how === "emulate" ? "emulate" : "simulate");
  return !ends && !(how === "emulate" && row.group === "control transfer");
}
