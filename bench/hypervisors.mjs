/**
 * The smallest hypervisors for VT-x and AMD-V: each makes a guest of what a machine is about to run, with nested paging that maps
 * every address to itself, passes devices and interrupts through, and answers CPUID, which alone leaves the guest.
 *
 * They are 32-bit code above the guest's memory. Manuals: SDM Vol. 3C, "VM Entries", "VM Exits", Vol. 3D, "Field Encoding in VMCS";
 * AMD64 Vol. 2, "Secure Virtual Machine", "Layout of VMCB".
 */

const MIB = 0x10_0000;
const base = 48 * MIB;
const place = {
  code: base,
  stack: base + 0x8000,
  directory: base + 0x1_0000,
  control: base + 0x1_1000,
  save: base + 0x1_2000,
  nested: base + 0x2_0000,
};

function words(count, wordAt) {
  const bytes = new Uint8Array(4 * count);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < count; index++) view.setUint32(4 * index, wordAt(index), true);
  return bytes;
}

/** The host's tables: 4 GiB by pages of 4 MiB, which a user may reach, since a guest of AMD-V is one to them. */
const directory = words(1024, (index) => index * 4 * MIB + 0xe7);

/** Extended page tables of the same by pages of 2 MiB: PML4, pointers, four directories. Memory is write-back. */
const extendedTables = words(6 * 1024, (index) => {
  const table = index >> 10;
  if (index % 2 === 1) return 0;
  const entry = (index & 1023) / 2;
  if (table === 0) return entry === 0 ? place.nested + 0x1007 : 0;
  if (table === 1) return entry < 4 ? place.nested + 0x2007 + entry * 0x1000 : 0;
  return ((table - 2) * 512 + entry) * 2 * MIB + 0xb7;
});

const switchPagingOn = `
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, ${place.directory}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000020
  mov cr0, eax`;

const field = {
  exitReason: 0x4402,
  exitLength: 0x440c,
  guestRip: 0x681e,
};

const CODE = 0xc09b;
const DATA = 0xc093;
const UNUSABLE = 0x10000;
const TSS = 0x8b;
const CODE_SELECTOR = 8;
const DATA_SELECTOR = 16;

/** Values by encodings. Masks hide CR0.NE and CR4.VMXE, which VMX operation holds at 1. */
const vmcs = ({ eip, esp }) => [
  ...[0x4000, 0x16],
  // With secondary controls.
  ...[0x4002, 0x8400_6172],
  // EPT, VPID, unrestricted guest.
  ...[0x401e, 0xa2],
  ...[0x0000, 1],
  ...[0x400c, 0x36dff],
  ...[0x4012, 0x11ff],
  ...[0x201a, place.nested + 0x1e],
  ...[0x201b, 0],
  ...[0x2800, 0xffff_ffff],
  ...[0x2801, 0xffff_ffff],
  ...[0x6000, 0x20],
  ...[0x6002, 0x2000],
  ...[0x0c00, DATA_SELECTOR],
  ...[0x0c02, CODE_SELECTOR],
  ...[0x0c04, DATA_SELECTOR],
  ...[0x0c06, DATA_SELECTOR],
  ...[0x0c0c, 24],
  ...[0x6c00, "cr0"],
  ...[0x6c02, "cr3"],
  ...[0x6c04, "cr4"],
  ...[0x6c14, place.stack],
  ...[0x6c16, "handler"],
  ...[0x6800, 0x31],
  ...[0x6804, 0x2000],
  ...[0x0802, CODE_SELECTOR],
  ...[0x4802, 0xffff_ffff],
  ...[0x4816, CODE],
  ...[0x0800, 0x0804, 0x0806, 0x0808, 0x080a].flatMap((selector) => [selector, DATA_SELECTOR]),
  ...[0x4800, 0x4804, 0x4806, 0x4808, 0x480a].flatMap((limit) => [limit, 0xffff_ffff]),
  ...[0x4814, 0x4818, 0x481a, 0x481c, 0x481e].flatMap((rights) => [rights, DATA]),
  ...[0x4820, UNUSABLE],
  ...[0x480e, 0x67],
  ...[0x4822, TSS],
  ...[0x681c, esp],
  ...[field.guestRip, eip],
  ...[0x6820, 2],
];

function vmwrites(list) {
  const lines = [];
  for (let index = 0; index < list.length; index += 2)
    lines.push(`mov eax, ${list[index]}\n mov edx, ${list[index + 1]}\n vmwrite eax, edx\n jbe failed`);
  return lines.join("\n");
}

const vmxCode = (registers) => `
  mov esp, ${place.stack}
  pushad
  ${switchPagingOn}
  mov eax, cr4
  or eax, 0x2000
  mov cr4, eax
  mov ecx, 0x3a
  mov eax, 5
  xor edx, edx
  wrmsr
  mov ecx, 0x480
  rdmsr
  mov [${place.save}], eax
  mov [${place.control}], eax
  vmxon [region]
  jbe failed
  vmclear [current]
  jbe failed
  vmptrld [current]
  jbe failed
  ${vmwrites(vmcs(registers))}
  popad
  vmlaunch
failed:
  cli
  hlt
region: dd ${place.save}, 0
current: dd ${place.control}, 0
handler:
  push eax
  push edx
  mov eax, ${field.exitReason}
  vmread eax, eax
  cmp eax, 10
  jne failed
  mov eax, ${field.exitLength}
  vmread edx, eax
  mov eax, ${field.guestRip}
  vmread eax, eax
  add edx, eax
  mov eax, ${field.guestRip}
  vmwrite eax, edx
  pop edx
  pop eax
  cpuid
  vmresume
  jmp failed`;

const VMCB = { exitCode: 0x70, rip: 0x578, rax: 0x5f8 };

/** Values by offsets. */
function vmcb({ eip, esp, eax }) {
  const dwords = new Map([
    // CPUID; VMRUN, without which there is no guest.
    [0x0c, 1 << 18],
    [0x10, 1],
    [0x58, 1],
    [0x90, 1],
    [0xb0, place.directory],
    [0x4cc, 0],
    [0x4d0, 0x1000],
    [0x558, 0x11],
    [0x560, 0x400],
    [0x568, 0xffff_0ff0],
    [0x570, 2],
    [VMCB.rip, eip],
    [0x5d8, esp],
    [VMCB.rax, eax],
    [0x668, 0x0007_0406],
    [0x66c, 0x0007_0406],
  ]);
  for (const [offset, selector, attributes] of [
    [0x400, DATA_SELECTOR, 0xc93],
    [0x410, CODE_SELECTOR, 0xc9b],
    [0x420, DATA_SELECTOR, 0xc93],
    [0x430, DATA_SELECTOR, 0xc93],
  ]) {
    dwords.set(offset, selector + attributes * 0x1_0000);
    dwords.set(offset + 4, 0xffff_ffff);
  }
  return words(1024, (index) => dwords.get(4 * index) ?? 0);
}

const svmCode = () => `
  mov esp, ${place.stack}
  pushad
  ${switchPagingOn}
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x1000
  wrmsr
  mov ecx, 0xc0010117
  mov eax, ${place.save}
  xor edx, edx
  wrmsr
  popad
again:
  mov eax, ${place.control}
  vmrun
  cmp dword [${place.control + VMCB.exitCode}], 0x72
  jne failed
  mov eax, [${place.control + VMCB.rax}]
  cpuid
  mov [${place.control + VMCB.rax}], eax
  add dword [${place.control + VMCB.rip}], 2
  jmp again
failed:
  cli
  hlt`;

/** What `machine`, in flat 32-bit protected mode without paging, is about to run, as the guest of a hypervisor. 64 MiB at least. */
export function underHypervisor({ assemble }, machine, kind) {
  const { registers } = machine;
  const code = kind === "vmx" ? vmxCode(registers) : svmCode();
  let host = machine.write(place.code, assemble(code, { address: place.code }).bytes).write(place.directory, directory);
  host = kind === "vmx" ? host.write(place.nested, extendedTables) : host.write(place.control, vmcb(registers));
  return host.edit((draft) => {
    draft.registers.eip = place.code;
  });
}
