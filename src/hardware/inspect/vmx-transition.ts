/** What a VM entry or exit of VT-x moves. Spec: SDM Vol. 3C, "VM Entries", "VM Exits". */
import type { Machine } from "../machine.js";
import { registerReaders } from "./vm-registers.js";
import type { Moves, VmMove, VmTransition } from "./vm-transition.js";
import { type Vmcs, vmcs, vmcsAddress } from "./vmcs.js";
import {
  type FieldMove,
  fixedByExit,
  loadedByEntry,
  loadedByExit,
  savedByExit,
  writtenAlways,
  writtenByFailure,
  writtenSometimes,
} from "./vmx-moves.js";

interface Sides {
  readonly before: Machine;
  readonly after: Machine;
  /** The VMCS before and behind the step. */
  readonly old: Vmcs;
  readonly now: Vmcs;
}

/** A register's value before and behind the step. */
function register({ before, after }: Sides, name: string): Pick<VmMove, "before" | "after"> {
  const read = registerReaders.vmx.get(name)!;
  return { before: read(before.cpu), after: read(after.cpu) };
}
const fieldValues = ({ old, now }: Sides, field: FieldMove["field"]): Pick<VmMove, "before" | "after"> => ({
  before: old.fields[field],
  after: now.fields[field],
});

/** Fields without a register of the machine's are loaded by nothing that can be seen. */
const loads = (sides: Sides, area: "guest" | "host", moves: readonly FieldMove[]): readonly VmMove[] =>
  moves.flatMap(({ field, register: name }): VmMove[] =>
    name === undefined ? [] : [{ way: "loaded", area, field, register: name, ...register(sides, name) }],
  );

const sets = (sides: Sides, names: readonly string[], area: "guest" | "host"): readonly VmMove[] =>
  names.map((name) => ({ way: "set", area, register: name, ...register(sides, name) }));

const usesPdptes = ({ cpu: { system } }: Machine): boolean => system.pdptes.length > 0;

function entryMoves(sides: Sides): readonly VmMove[] {
  const { after, old, now } = sides;
  const moves = loads(sides, "guest", loadedByEntry(old, usesPdptes(after)));
  const loaded = new Set(moves.map((move) => move.register));
  // The controls decide of LMA and LME, and the tables of PDPTEs where no field has them.
  const others = ["IA32_EFER", ...(usesPdptes(after) ? [0, 1, 2, 3].map((index) => `pdpte${index}`) : [])];
  const launched: readonly VmMove[] =
    old.state.launch === now.state.launch
      ? []
      : [{ way: "written", area: "control", field: "launch state", before: 0n, after: 1n }];
  return [
    ...moves,
    ...sets(
      sides,
      others.filter((name) => !loaded.has(name)),
      "guest",
    ),
    ...launched,
  ];
}

function written(sides: Sides, failed: boolean): readonly VmMove[] {
  const always = failed ? writtenByFailure : writtenAlways;
  const sometimes = (failed ? [] : writtenSometimes).filter(
    (field) => sides.old.fields[field] !== sides.now.fields[field],
  );
  return [...always, ...sometimes].map((field) => ({
    way: "written",
    area: field.startsWith("VM-entry") ? "control" : "exit information",
    field,
    ...fieldValues(sides, field),
  }));
}

function hostMoves(sides: Sides): readonly VmMove[] {
  const moves = loads(sides, "host", loadedByExit(sides.old));
  const loaded = new Set(moves.map((move) => move.register));
  return [
    ...moves,
    ...sets(
      sides,
      fixedByExit.filter((name) => !loaded.has(name)),
      "host",
    ),
  ];
}

const saves = (sides: Sides): readonly VmMove[] =>
  savedByExit(sides.old, usesPdptes(sides.before)).map(({ field, register: name }) => ({
    way: "saved",
    area: "guest",
    field,
    ...(name === undefined ? {} : { register: name }),
    ...fieldValues(sides, field),
  }));

export function vmxMoves(before: Machine, after: Machine, kind: VmTransition["kind"]): Moves {
  const address = vmcsAddress(before, undefined, "vmTransition");
  const sides: Sides = { before, after, old: vmcs(before, address), now: vmcs(after, address) };
  if (kind === "entry") return { address, moves: entryMoves(sides) };
  if (kind === "refused") return { address, moves: [...written(sides, true), ...hostMoves(sides)] };
  return { address, moves: [...written(sides, false), ...saves(sides), ...hostMoves(sides)] };
}
