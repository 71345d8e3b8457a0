/**
 * The red pills of a paravirtual kernel. It knows what it runs on, and asks for what is privileged; so each pill is a guest of its own in a
 * few lines, which leaves what it has seen in memory, and one that its hypervisor ends has been told.
 */
import { Hypervisor } from "../hypervisor.js";
import { usualHosts } from "../techniques/hosts.js";
import { paravirtualMachine } from "../techniques/pv/builder.js";
import { POWER_OFF, smallGuest } from "../techniques/pv/small-guest.js";

/** Where a pill leaves its result, and where SIDT and SGDT write to. */
const [RESULT, TABLE] = [0x20_0000, 0x20_0010];
/** The image. */
const [IMAGE, IMAGE_END] = [0x10_0000, 0x10_1000];

/** EAX := 1 if the base behind TABLE lies in the image. */
const IS_OWN = `
        mov edx, [${TABLE + 2}]
        xor eax, eax
        cmp edx, ${IMAGE}
        jb ended
        cmp edx, ${IMAGE_END}
        jae ended
        inc eax`;
const LIMIT = `movzx eax, word [${TABLE}]`;
const INTERRUPT_FLAG = `
        pushfd
        pop eax
        and eax, 0x200`;

const timed = (instruction: string): string => `
        rdtsc
        mov ebp, eax
        ${instruction}
        rdtsc
        sub eax, ebp`;

/** By the names of the guest `red-pill`; each leaves its result in EAX. */
const pills: Readonly<Record<string, string>> = {
  "cpuid-hypervisor-bit": "mov eax, 1\ncpuid\nmov eax, ecx\nshr eax, 31",
  "sidt-limit-0": `sidt [${TABLE}]\n${LIMIT}`,
  "sidt-base-is-own-0": `sidt [${TABLE}]\n${IS_OWN}`,
  "sgdt-limit-0": `sgdt [${TABLE}]\n${LIMIT}`,
  "sgdt-base-is-own-0": `sgdt [${TABLE}]\n${IS_OWN}`,
  "sldt-0": "mov eax, -1\nsldt ax\nmovzx eax, ax",
  "str-0": "mov eax, -1\nstr ax\nmovzx eax, ax",
  "smsw-0": "smsw ax\nmovzx eax, ax",
  "mov-from-cs-0": "xor eax, eax\nmov ax, cs",
  "mov-from-ss-0": "xor eax, eax\nmov ax, ss",
  "push-cs-0": "push cs\npop eax\nand eax, 0xffff",
  "read-top-of-addresses-0": "mov eax, [0xfc000000]\nxor eax, eax",
  "pushf-if-after-cli-0": `cli\n${INTERRUPT_FLAG}`,
  "pushf-if-after-sti-0": `sti\n${INTERRUPT_FLAG}`,
  "popf-clears-if-0": `push 2\npopfd\n${INTERRUPT_FLAG}`,
  "popf-sets-if-0": `push 0x202\npopfd\n${INTERRUPT_FLAG}`,
  "popf-sets-iopl-0": "push 0x3002\npopfd\npushfd\npop eax\nand eax, 0x3000",
  "cr0-0": "mov eax, cr0",
  "vmcall-0": "vmcall",
  "vmmcall-0": "vmmcall",
  "time-nop-0": timed("nop"),
  "time-cpuid-0": timed("cpuid"),
  "time-read-cr0-0": timed("mov eax, cr0"),
  "time-in-0": timed("in al, 0x80"),
  "time-sidt-0": timed(`sidt [${TABLE}]`),
};

const NAME = "red pill";

/** What a pill shows, in the words of the guest; or why its hypervisor has ended it. */
function swallow(name: string, lines: string): string {
  const image = smallGuest(`${lines}\nended: mov [${RESULT}], eax\n${POWER_OFF}`);
  const { model, bits } = usualHosts.pv;
  const host = Hypervisor.create({ model, bits, memory: "16M" });
  const guest = paravirtualMachine({ image, model });
  const { machine, status } = host
    .addVm({ name: NAME, guest, technique: "pv" })
    .run({ until: { vm: NAME } })
    .vm(NAME);
  if (status.kind === "stopped" && status.stop.reason === "unsupported")
    return /#[A-Z]{2}/.exec(status.stop.detail)?.[0] ?? status.stop.detail;
  const value = new DataView(machine.memory.read(RESULT, 4).slice().buffer).getUint32(0, true);
  return name.startsWith("cpuid") ? String(value) : value.toString(16).padStart(8, "0");
}

/** Values by name, as a paravirtual kernel sees them. */
export const paravirtualPills = (): ReadonlyMap<string, string> =>
  new Map(Object.entries(pills).map(([name, lines]) => [name, swallow(name, lines)]));
