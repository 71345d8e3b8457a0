/**
 * The VMX instructions, on plain operands: hypervisors in TypeScript execute them through the port with the same checks as
 * hypervisors in machine code. Each ends with VMsucceed, VMfailInvalid or VMfailValid in the flags, in a guest with a VM
 * exit; it throws a `Fault` where the manual has an exception.
 * Spec: SDM Vol. 3C, "VMX Instruction Reference".
 */
import { models } from "../cpu/model.js";
import { isCanonicalWord } from "../cpu/msr-table.js";
import { Fault, type ProcessorPort, VECTOR } from "../cpu/processor.js";
import { CR4 } from "../cpu/state.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import { hasEpt, hasVpid, isVmxSwitchedOn, supportsCr0, supportsCr4 } from "./capabilities.js";
import { isEptPointer } from "./control-checks.js";
import { has, SECONDARY } from "./controls.js";
import { enterGuest } from "./entry.js";
import { componentAt, type Field, LAYOUT } from "./fields.js";
import {
  fail,
  failInvalid,
  requireHost,
  requireMode,
  requireRing0,
  requireRoot,
  requireVmx,
  succeed,
  vmxState,
} from "./outcome.js";
import type { VmxState } from "./state.js";
import { VM_ERROR } from "./vm-errors.js";
import {
  isLaunched,
  REVISION,
  readAddress,
  readField,
  readWord,
  setLaunched,
  writeField,
  writeHalves,
} from "./vmcs.js";

const PAGE = 4096;
const WORD = 0xffff_ffffn;

/** An address of a page within physical addresses. */
const isPage = (port: ProcessorPort, address: number): boolean =>
  address % PAGE === 0 && address < 2 ** models[port.system.model].physicalBits;

const hasRevision = (port: ProcessorPort, address: number): boolean =>
  port.readPhysical(address + LAYOUT.REVISION) === REVISION;

const setState = (port: ProcessorPort, virtualization: VmxState | undefined): void =>
  port.setSystem({ virtualization: virtualization === undefined ? undefined : Object.freeze(virtualization) });

/** The conditions in front of VMXON's operand. */
export function beginVmxon(port: ProcessorPort, instruction?: DecodedInstruction): void {
  const { cr0, cr4, model } = port.system;
  if ((cr4 & CR4.VMXE) === 0) throw new Fault(VECTOR.UD, undefined, "vmx-off");
  requireMode(port);
  const state = vmxState(port);
  if (state !== undefined) requireHost(state, "VMXON", instruction);
  requireRing0(port);
  if (state !== undefined) return;
  if (!supportsCr0(cr0) || !supportsCr4(models[model], cr4)) throw new Fault(VECTOR.GP, 0, "vmx-fixed-bits");
  if (!isVmxSwitchedOn(port)) throw new Fault(VECTOR.GP, 0, "feature-control-locked");
}

/** VMXON: enters VMX root operation. Spec: VMXON—Enter VMX Operation. */
export function vmxon(port: ProcessorPort, region: number): void {
  beginVmxon(port);
  const state = vmxState(port);
  if (state !== undefined) {
    fail(port, state, VM_ERROR.VMXON_IN_ROOT);
    return;
  }
  if (!isPage(port, region) || !hasRevision(port, region)) {
    failInvalid(port);
    return;
  }
  setState(port, { kind: "vmx", region, current: undefined, guest: undefined });
  succeed(port);
}

/** VMXOFF: leaves VMX operation. Spec: VMXOFF—Leave VMX Operation. */
export function vmxoff(port: ProcessorPort): void {
  requireRoot(port, "VMXOFF");
  setState(port, undefined);
  succeed(port);
}

/** VMCALL: a guest calls its host; in root operation it fails. Spec: VMCALL—Call to VM Monitor. */
export function vmcall(port: ProcessorPort): void {
  const state = requireVmx(port);
  requireHost(state, "VMCALL");
  requireMode(port);
  requireRing0(port);
  fail(port, state, VM_ERROR.VMCALL_IN_ROOT);
}

/** VMfail with an error, or the effect and VMsucceed. */
function conclude(port: ProcessorPort, state: VmxState, error: number | undefined, effect: () => void): void {
  if (error !== undefined) {
    fail(port, state, error);
    return;
  }
  effect();
  succeed(port);
}

function clearError(port: ProcessorPort, { region }: VmxState, address: number): number | undefined {
  if (!isPage(port, address)) return VM_ERROR.VMCLEAR_ADDRESS;
  return address === region ? VM_ERROR.VMCLEAR_VMXON_POINTER : undefined;
}

/** VMCLEAR: makes a VMCS clear, and not current. Spec: VMCLEAR—Clear Virtual-Machine Control Structure. */
export function vmclear(port: ProcessorPort, address: number): void {
  const state = requireRoot(port, "VMCLEAR");
  conclude(port, state, clearError(port, state, address), () => {
    setLaunched(port, address, false);
    if (address === state.current) setState(port, { ...state, current: undefined });
  });
}

function loadError(port: ProcessorPort, { region }: VmxState, address: number): number | undefined {
  if (!isPage(port, address)) return VM_ERROR.VMPTRLD_ADDRESS;
  if (address === region) return VM_ERROR.VMPTRLD_VMXON_POINTER;
  return hasRevision(port, address) ? undefined : VM_ERROR.VMPTRLD_REVISION;
}

/** VMPTRLD: makes a VMCS current. Spec: VMPTRLD—Load Pointer to Virtual-Machine Control Structure. */
export function vmptrld(port: ProcessorPort, address: number): void {
  const state = requireRoot(port, "VMPTRLD");
  conclude(port, state, loadError(port, state, address), () => setState(port, { ...state, current: address }));
}

/** VMPTRST: the current-VMCS pointer; all ones where there is none. Spec: VMPTRST—Store Pointer to Virtual-Machine Control Structure. */
export function vmptrst(port: ProcessorPort): bigint {
  const { current } = requireRoot(port, "VMPTRST");
  succeed(port);
  return current === undefined ? 0xffff_ffff_ffff_ffffn : BigInt(current);
}

const isThere = (port: ProcessorPort, { needs }: Field): boolean =>
  needs === undefined || models[port.system.model].secondaryControls.includes(needs);

/** The current VMCS, in which VMREAD and VMWRITE access a field; undefined where they fail, which the flags tell then. */
function accessed(port: ProcessorPort, name: "VMREAD" | "VMWRITE", field: Field | undefined): number | undefined {
  const state = requireRoot(port, name);
  const { current } = state;
  let error: number | undefined;
  if (current === undefined || field === undefined || !isThere(port, field)) error = VM_ERROR.UNSUPPORTED_COMPONENT;
  else if (name === "VMWRITE" && field.type === "read-only") error = VM_ERROR.READ_ONLY_COMPONENT;
  if (error === undefined) return current;
  fail(port, state, error);
  return undefined;
}

/** VMREAD: a field of the current VMCS; undefined where it failed. Spec: VMREAD—Read Field from Virtual-Machine Control Structure. */
export function vmread(port: ProcessorPort, encoding: bigint): bigint | undefined {
  const component = componentAt(encoding);
  const vmcs = accessed(port, "VMREAD", component?.field);
  if (vmcs === undefined || component === undefined) return undefined;
  const value = readField(port, vmcs, component.field.name);
  succeed(port);
  return component.high ? value >> 32n : value;
}

/** The same of the low half of a field whose encoding is known; unsigned. */
export function vmreadWord(port: ProcessorPort, field: Field): number | undefined {
  const vmcs = accessed(port, "VMREAD", field);
  if (vmcs === undefined) return undefined;
  const value = port.readPhysical(vmcs + field.offset);
  succeed(port);
  return value;
}

/** The same of an address: signed, as those of long mode are. */
export function vmreadAddress(port: ProcessorPort, field: Field): number | undefined {
  const vmcs = accessed(port, "VMREAD", field);
  if (vmcs === undefined) return undefined;
  const value = readAddress(port, vmcs, field);
  succeed(port);
  return value;
}

/** VMWRITE: bits that the operand has not become 0. Spec: VMWRITE—Write Field to Virtual-Machine Control Structure. */
export function vmwrite(port: ProcessorPort, encoding: bigint, value: bigint): void {
  const component = componentAt(encoding);
  const vmcs = accessed(port, "VMWRITE", component?.field);
  if (vmcs === undefined || component === undefined) return;
  const { field, high } = component;
  const [low, upper] = [Number(value & WORD), Number((value >> 32n) & WORD)];
  if (high) writeHalves(port, vmcs, field, readWord(port, vmcs, field.name), low);
  else writeHalves(port, vmcs, field, low, upper);
  succeed(port);
}

/** The same with the halves of the operand, of a field whose encoding is known. */
export function vmwriteHalves(port: ProcessorPort, field: Field, low: number, high: number): void {
  const vmcs = accessed(port, "VMWRITE", field);
  if (vmcs === undefined) return;
  writeHalves(port, vmcs, field, low, high);
  succeed(port);
}

function launchError(port: ProcessorPort, current: number, launch: boolean): number | undefined {
  if (port.between.shadow === "mov-ss") return VM_ERROR.BLOCKED_BY_MOV_SS;
  if (isLaunched(port, current) !== launch) return undefined;
  return launch ? VM_ERROR.VMLAUNCH_NOT_CLEAR : VM_ERROR.VMRESUME_NOT_LAUNCHED;
}

/** VMLAUNCH and VMRESUME. Spec: VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine. */
function enter(port: ProcessorPort, launch: boolean): void {
  const state = requireRoot(port, launch ? "VMLAUNCH" : "VMRESUME");
  const { current } = state;
  if (current === undefined) {
    failInvalid(port);
    return;
  }
  const error = launchError(port, current, launch) ?? enterGuest(port, state, launch);
  if (error !== undefined) fail(port, state, error);
}
export const vmlaunch = (port: ProcessorPort): void => enter(port, true);
export const vmresume = (port: ProcessorPort): void => enter(port, false);

/** Throws #UD where the model has no such translations. */
function requireNested(there: boolean): void {
  if (!there) throw new Fault(VECTOR.UD, undefined, "no-nested-paging");
}

/** The conditions in front of INVEPT's descriptor. */
export function beginInvept(port: ProcessorPort, instruction?: DecodedInstruction): VmxState {
  requireNested(hasEpt(models[port.system.model]));
  return requireRoot(port, "INVEPT", instruction);
}
export function beginInvvpid(port: ProcessorPort, instruction?: DecodedInstruction): VmxState {
  requireNested(hasVpid(models[port.system.model]));
  return requireRoot(port, "INVVPID", instruction);
}

const isPointer = (port: ProcessorPort, eptp: bigint): boolean =>
  isEptPointer({ model: models[port.system.model] }, Number(eptp & WORD), Number((eptp >> 32n) & WORD));

/** INVEPT: types are 1, of one EPT pointer, and 2, of all. Spec: INVEPT—Invalidate Translations Derived from EPT. */
export function invept(port: ProcessorPort, type: bigint, eptp: bigint): void {
  const state = beginInvept(port);
  const valid = type === 2n || (type === 1n && isPointer(port, eptp));
  conclude(port, state, valid ? undefined : VM_ERROR.INVALID_OPERAND, () => port.invalidate());
}

/** What INVVPID refuses of a descriptor, by type: of one address, of one VPID, of all, of one VPID but global translations. */
const refusals: readonly ((vpid: bigint, linear: bigint) => boolean)[] = [
  (vpid, linear) => vpid === 0n || !isCanonicalWord(linear),
  (vpid) => vpid === 0n,
  () => false,
  (vpid) => vpid === 0n,
];

/** INVVPID. Spec: INVVPID—Invalidate Translations Based on VPID. */
export function invvpid(port: ProcessorPort, type: bigint, vpid: bigint, linear: bigint): void {
  const state = beginInvvpid(port);
  const refuses = type < 4n ? refusals[Number(type)] : undefined;
  const valid = refuses !== undefined && vpid >> 16n === 0n && !refuses(vpid, linear);
  conclude(port, state, valid ? undefined : VM_ERROR.INVALID_OPERAND, () => port.invalidate());
}

const EPTP_LIST_ENTRIES = 512;

/** The EPT pointer that ECX names in the list, if VM entry would accept it. */
function listedPointer(port: ProcessorPort, list: number): bigint | undefined {
  const index = port.getRegister(1);
  if (index >= EPTP_LIST_ENTRIES) return undefined;
  const at = list + 8 * index;
  const eptp = BigInt(port.readPhysical(at)) | (BigInt(port.readPhysical(at + 4)) << 32n);
  return isPointer(port, eptp) ? eptp : undefined;
}

/** VMFUNC: function 0 exchanges the EPT pointer of the guest that runs. Spec: VMFUNC—Invoke VM function, "EPTP Switching". */
export function vmfunc(port: ProcessorPort): void {
  const state = requireVmx(port);
  const { guest, current } = state;
  if (guest === undefined || current === undefined || !has(guest.secondary, SECONDARY["enable VM functions"]))
    throw new Fault(VECTOR.UD, undefined, "not-a-guest");
  const number = port.getRegister(0);
  if (number > 63) throw new Fault(VECTOR.UD, undefined, "no-vm-function");
  if (((guest.functions >> BigInt(number)) & 1n) === 0n) requireHost(state, "VMFUNC");
  const eptp = listedPointer(port, guest.eptpList);
  if (eptp === undefined) {
    requireHost(state, "VMFUNC");
    return;
  }
  writeField(port, current, "EPT pointer", eptp);
  setState(port, { ...state, guest: Object.freeze({ ...guest, eptp }) });
  port.invalidate();
}
