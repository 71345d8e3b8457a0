/** What VMRUN and #VMEXIT move. Spec: AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "#VMEXIT". */
import type { Machine } from "../machine.js";
import {
  exitInformation,
  fixedBySvmExit,
  guestInformation,
  guestMoves,
  loadedHost,
  savedHost,
  type VmcbMove,
} from "./svm-moves.js";
import { registerReaders } from "./vm-registers.js";
import type { Moves, VmMove, VmTransition } from "./vm-transition.js";
import { vmcbValue } from "./vmcb.js";

interface Sides {
  readonly before: Machine;
  readonly after: Machine;
}

function register({ before, after }: Sides, name: string): Pick<VmMove, "before" | "after"> {
  const read = registerReaders.svm.get(name)!;
  return { before: read(before.cpu), after: read(after.cpu) };
}
const field = ({ before, after }: Sides, address: number, name: string): Pick<VmMove, "before" | "after"> => ({
  before: vmcbValue(before, address, name),
  after: vmcbValue(after, address, name),
});

const loads = (sides: Sides, area: VmMove["area"], moves: readonly VmcbMove[]): readonly VmMove[] =>
  moves.map((move) => ({ way: "loaded", area, ...move, ...register(sides, move.register) }));
const saves = (sides: Sides, area: VmMove["area"], address: number, moves: readonly VmcbMove[]): readonly VmMove[] =>
  moves.map((move) => ({ way: "saved", area, ...move, ...field(sides, address, move.field) }));
const writes = (sides: Sides, address: number, names: readonly string[]): readonly VmMove[] =>
  names.map((name) => ({
    way: "written",
    area: /^(EVENTINJ|V_)/.test(name) ? "control" : "exit information",
    field: name,
    ...field(sides, address, name),
  }));
const sets = (sides: Sides): readonly VmMove[] =>
  fixedBySvmExit.map((name) => ({ way: "set", area: "host", register: name, ...register(sides, name) }));

const saveArea = ({ cpu: { system } }: Machine): number => Number(system.msrs["VM_HSAVE_PA"] ?? 0n);

/** The VMCB: of the guest that runs before or behind the step, or where VMRUN was refused what rAX says. */
function vmcbOf({ before, after }: Sides): number {
  for (const { cpu } of [before, after]) {
    const { virtualization } = cpu.system;
    if (virtualization?.kind === "svm" && virtualization.guest !== undefined) return virtualization.guest.vmcb;
  }
  return Number(registerReaders.svm.get("rax")!(before.cpu));
}

export function svmMoves(before: Machine, after: Machine, kind: VmTransition["kind"]): Moves {
  const sides: Sides = { before, after };
  const address = vmcbOf(sides);
  const area = saveArea(before);
  const nested = vmcbValue(before, address, "NP_ENABLE") !== 0n;
  const host = kind === "exit" ? [] : saves(sides, "host save area", area, savedHost(nested));
  if (kind === "entry") return { address, moves: [...host, ...loads(sides, "guest", guestMoves(nested))] };
  const ran = kind !== "refused";
  return {
    address,
    moves: [
      ...host,
      ...writes(sides, address, ran ? [...exitInformation, ...guestInformation] : exitInformation),
      ...(ran ? saves(sides, "guest", address, guestMoves(nested)) : []),
      ...loads(sides, "host save area", loadedHost(nested)),
      ...sets(sides),
    ],
  };
}
