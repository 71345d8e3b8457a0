/** Hypercalls for memory: page tables and descriptors, which the guest reads and the hypervisor writes. */
import { type Host, PAGE } from "../../host.js";
import { PLACE, TOP } from "../../layout.js";
import { writeDescriptor } from "../trap/world.js";
import { readWords, refuse, writeWords } from "./access.js";
import { BYTES, DOMID_SELF, GUEST_DESCRIPTORS, MMU_NORMAL_PT_UPDATE, MMUEXT } from "./interface.js";
import { isHarmless, PageTypes, TYPE } from "./page-types.js";
import { loadDescriptors } from "./segments.js";
import { changeOwn, ownOf } from "./state.js";

/** What a hypercall has done, for the ledger beside its result. */
export interface Result {
  readonly result: number;
  readonly effect: string;
}

export const DONE: Result = Object.freeze({ result: 0, effect: "done" });

/** More is refused: a hypercall is made in one go, and others wait. */
const MOST = 0x1_0000;
const DESCRIPTORS_A_FRAME = PAGE / 8;

const typesOf = (host: Host, number: number): PageTypes => new PageTypes(host.port, ownOf(host, number));

/** Goes through a list of the guest's; what was done in front of a refusal stays done, and is told. */
function each(host: Host, args: readonly number[], bytes: number, work: (words: readonly number[]) => void): void {
  const [list, count, done, domain] = args as [number, number, number, number];
  if (domain !== DOMID_SELF) refuse("EPERM");
  if (count > MOST) refuse("E2BIG");
  let index = 0;
  try {
    for (; index < count; index++) work(readWords(host, list + index * bytes, bytes / 4));
  } finally {
    if (done !== 0) writeWords(host, done, [index]);
  }
}

const counted = (count: number, what: string): Result => ({
  result: 0,
  effect: `${count} ${what}${count === 1 ? "" : "s"}`,
});

export function mmuUpdate(host: Host, number: number, args: readonly number[]): Result {
  const types = typesOf(host, number);
  each(host, args, BYTES.update, ([address, addressHigh, value, valueHigh]) => {
    if ((address! & 3) !== MMU_NORMAL_PT_UPDATE) refuse("ENOSYS");
    if (addressHigh !== 0 || valueHigh !== 0 || !types.update(address!, value!)) refuse("EINVAL");
  });
  host.port.invalidate();
  return counted(args[1]!, "update");
}

export function updateVaMapping(host: Host, number: number, [linear, entry]: readonly number[]): Result {
  if (linear! >= TOP) refuse("EINVAL");
  const { directory } = ownOf(host, number);
  const types = typesOf(host, number);
  const table = host.port.readPhysical(directory * PAGE + 4 * (linear! >>> 22));
  const at = (table >>> 12) * PAGE + 4 * ((linear! >>> 12) & 1023);
  if ((table & 1) === 0 || !types.update(at, entry!)) refuse("EINVAL");
  host.port.invalidate(linear!);
  return counted(1, "update");
}

/** MOV to CR3. Spec: Xen, "new_guest_cr3": the directory in use is a use of it. */
function newBase(host: Host, number: number, types: PageTypes, frame: number): boolean {
  const { directory, first } = ownOf(host, number);
  if (frame === directory) return true;
  if (!types.get(frame, TYPE.directory)) return false;
  host.port.setSystem({ cr3: (frame * PAGE) | 0 });
  types.put(directory);
  changeOwn(host, number, { directory: frame });
  const { cpu } = host.vm(number);
  const system = Object.freeze({ ...cpu.system, cr3: ((frame - first) * PAGE) | 0 });
  host.change(number, { cpu: { ...cpu, system } });
  return true;
}

type Operation = (host: Host, number: number, types: PageTypes, argument: number) => boolean;

const operations: Readonly<Record<number, Operation>> = Object.freeze({
  [MMUEXT.PIN_L1]: (_host, _number, types, frame) => types.pin(frame, TYPE.table),
  [MMUEXT.PIN_L2]: (_host, _number, types, frame) => types.pin(frame, TYPE.directory),
  [MMUEXT.UNPIN]: (_host, _number, types, frame) => types.unpin(frame),
  [MMUEXT.NEW_BASEPTR]: newBase,
  [MMUEXT.INVLPG_LOCAL]: ({ port }, _number, _types, linear) => {
    port.invalidate(linear);
    return true;
  },
});

export function mmuextOp(host: Host, number: number, args: readonly number[]): Result {
  const types = typesOf(host, number);
  each(host, args, BYTES.operation, ([command, argument]) => {
    const operation = operations[command!] ?? refuse("ENOSYS");
    if (!operation(host, number, types, argument!)) refuse("EINVAL");
  });
  host.port.invalidate();
  return counted(args[1]!, "operation");
}

export function setGdt(host: Host, number: number, [list, count]: readonly number[]): Result {
  if (count! > GUEST_DESCRIPTORS) refuse("EINVAL");
  const frames = readWords(host, list!, Math.ceil(count! / DESCRIPTORS_A_FRAME));
  const types = typesOf(host, number);
  frames.forEach((frame, index) => {
    if (types.get(frame, TYPE.descriptors)) return;
    for (const held of frames.slice(0, index)) types.put(held);
    refuse("EINVAL");
  });
  for (const frame of ownOf(host, number).descriptors) types.put(frame);
  changeOwn(host, number, { descriptors: frames, descriptorCount: count! });
  loadDescriptors(host, number);
  return DONE;
}

/** Spec: Xen, "do_update_descriptor": machine address and descriptor, as low and high words. */
export function updateDescriptor(host: Host, number: number, args: readonly number[]): Result {
  const [address, addressHigh, low, high] = args as [number, number, number, number];
  const frame = address >>> 12;
  const types = typesOf(host, number);
  if (addressHigh !== 0 || (address & 7) !== 0 || !types.owns(frame) || !isHarmless(low, high)) refuse("EINVAL");
  const { descriptors, descriptorCount } = ownOf(host, number);
  if (types.typeOf(frame) !== TYPE.descriptors && !types.get(frame, TYPE.writable)) refuse("EINVAL");
  host.port.writePhysical(address, low);
  host.port.writePhysical(address + 4, high);
  if (types.typeOf(frame) === TYPE.writable) types.put(frame);
  descriptors.forEach((held, at) => {
    const index = at * DESCRIPTORS_A_FRAME + ((address & 0xfff) >>> 3);
    if (held === frame && index < descriptorCount) writeDescriptor(host, PLACE.shadowGdt, 8 * index, [low, high]);
  });
  return DONE;
}
