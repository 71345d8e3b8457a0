/**
 * VM-instruction errors by number.
 * Spec: SDM Vol. 3C, "VM Instruction Error Numbers".
 */
export const VM_ERROR = {
  VMCALL_IN_ROOT: 1,
  VMCLEAR_ADDRESS: 2,
  VMCLEAR_VMXON_POINTER: 3,
  VMLAUNCH_NOT_CLEAR: 4,
  VMRESUME_NOT_LAUNCHED: 5,
  INVALID_CONTROLS: 7,
  INVALID_HOST_STATE: 8,
  VMPTRLD_ADDRESS: 9,
  VMPTRLD_VMXON_POINTER: 10,
  VMPTRLD_REVISION: 11,
  UNSUPPORTED_COMPONENT: 12,
  READ_ONLY_COMPONENT: 13,
  VMXON_IN_ROOT: 15,
  BLOCKED_BY_MOV_SS: 26,
  INVALID_OPERAND: 28,
} as const;

/** The manual's descriptions. */
export const vmErrors: ReadonlyMap<number, string> = new Map([
  [VM_ERROR.VMCALL_IN_ROOT, "VMCALL executed in VMX root operation"],
  [VM_ERROR.VMCLEAR_ADDRESS, "VMCLEAR with invalid physical address"],
  [VM_ERROR.VMCLEAR_VMXON_POINTER, "VMCLEAR with VMXON pointer"],
  [VM_ERROR.VMLAUNCH_NOT_CLEAR, "VMLAUNCH with non-clear VMCS"],
  [VM_ERROR.VMRESUME_NOT_LAUNCHED, "VMRESUME with non-launched VMCS"],
  [VM_ERROR.INVALID_CONTROLS, "VM entry with invalid control field(s)"],
  [VM_ERROR.INVALID_HOST_STATE, "VM entry with invalid host-state field(s)"],
  [VM_ERROR.VMPTRLD_ADDRESS, "VMPTRLD with invalid physical address"],
  [VM_ERROR.VMPTRLD_VMXON_POINTER, "VMPTRLD with VMXON pointer"],
  [VM_ERROR.VMPTRLD_REVISION, "VMPTRLD with incorrect VMCS revision identifier"],
  [VM_ERROR.UNSUPPORTED_COMPONENT, "VMREAD/VMWRITE from/to unsupported VMCS component"],
  [VM_ERROR.READ_ONLY_COMPONENT, "VMWRITE to read-only VMCS component"],
  [VM_ERROR.VMXON_IN_ROOT, "VMXON executed in VMX root operation"],
  [VM_ERROR.BLOCKED_BY_MOV_SS, "VM entry with events blocked by MOV SS"],
  [VM_ERROR.INVALID_OPERAND, "Invalid operand to INVEPT/INVVPID"],
]);
