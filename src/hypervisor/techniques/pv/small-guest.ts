/** Paravirtual guests in a few lines of assembly, as ELF images for `paravirtualMachine`. */
import { assemble } from "../../../hardware/isa/assembler/assembler.js";
import { VirtlabError } from "../../../state/error.js";
import { DOMID_SELF, START } from "./interface.js";

const ORIGIN = 0x10_0000;
const HEADER = 0x34;
const PROGRAM_HEADER = 0x20;
const READ_WRITE_EXECUTE = 7;

/** Words of 16 and 32 bits at their offsets. Spec: System V ABI, "ELF Header", "Program Header". */
function elfOf(code: Uint8Array): Uint8Array {
  const offset = HEADER + PROGRAM_HEADER;
  const bytes = new Uint8Array(offset + code.length);
  const view = new DataView(bytes.buffer);
  const short = { 16: 2, 18: 3, 40: HEADER, 42: PROGRAM_HEADER, 44: 1 };
  const long = { 20: 1, 24: ORIGIN, 28: HEADER };
  const segment = [1, offset, ORIGIN, ORIGIN, code.length, code.length, READ_WRITE_EXECUTE, 16];
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  for (const [at, value] of Object.entries(short)) view.setUint16(Number(at), value, true);
  for (const [at, value] of Object.entries(long)) view.setUint32(Number(at), value, true);
  segment.forEach((value, index) => {
    view.setUint32(HEADER + 4 * index, value, true);
  });
  bytes.set(code, offset);
  return bytes;
}

/**
 * The image of a paravirtual guest in assembly, which begins with the first line, in ring 1: ESI has the address of the start
 * information, ESP a stack.
 *
 * @throws VirtlabError for text that is no assembly.
 * @example
 * const image = smallGuest("mov eax, 99\nint 0x82\nhlt"); // a hypercall that there is not
 * const host = Hypervisor.create({ model: "pentium2", bits: 32, memory: "32M" })
 *   .addVm({ name: "a", guest: paravirtualMachine({ image }), technique: "pv" }).run({ until: { vm: "a" } });
 * host.vm("a").ledger[0].effect // => '-ENOSYS'
 */
export const smallGuest = (text: string): Uint8Array =>
  elfOf(assemble(`bits 32\norg ${ORIGIN}\n${text}`, { bits: 32, name: "small guest" }).bytes);

/** The end of a guest: SCHEDOP_shutdown, SHUTDOWN_poweroff. */
export const POWER_OFF = `
        push 0
        mov eax, 29
        mov ebx, 2
        mov ecx, esp
        int 0x82`;

const REQUESTS = 0x20_0000;
const MOST_BATCH = 0x1_0000;
const LAST_PAGE = 1023;

/**
 * The image of a guest that changes an entry of its page table `updates` times, by HYPERVISOR_mmu_update with `batch` entries at a time,
 * and switches itself off: what batching saves.
 *
 * @throws VirtlabError for numbers that are not whole, or a batch of more than 65536.
 * @example
 * const guest = paravirtualMachine({ image: updateGuest({ updates: 100, batch: 10 }) });
 * const host = Hypervisor.create({ model: "pentium2", bits: 32, memory: "32M" }).addVm({ name: "a", guest, technique: "pv" });
 * host.run({ until: { vm: "a" } }).vm("a").ledger.find(({ number }) => number === 1).count // => 10
 */
export function updateGuest({ updates, batch }: { readonly updates: number; readonly batch: number }): Uint8Array {
  if (!Number.isInteger(updates) || updates < 0)
    throw new VirtlabError(`update guest: ${updates} updates cannot be made`);
  if (!Number.isInteger(batch) || batch < 1 || batch > MOST_BATCH)
    throw new VirtlabError(`update guest: a batch of ${batch} is not 1 to ${MOST_BATCH}`);
  return smallGuest(`
        mov ebp, [esi + ${START.frameList}]
        mov eax, [esi + ${START.tables}]
        shr eax, 12
        mov eax, [ebp + eax * 4 + 4]    ; the machine frame of the first page table
        shl eax, 12
        add eax, ${4 * LAST_PAGE}
        mov edx, [ebp + ${4 * LAST_PAGE}]
        shl edx, 12
        or edx, 3
        mov edi, ${REQUESTS}
        mov ecx, ${Math.min(batch, updates)}
        jecxz filled
fill:   mov [edi], eax
        mov dword [edi + 4], 0
        mov [edi + 8], edx
        mov dword [edi + 12], 0
        add edi, 16
        dec ecx
        jnz fill
filled: mov ebp, ${updates}
again:  test ebp, ebp
        jz done
        mov ecx, ${batch}
        cmp ecx, ebp
        jbe some
        mov ecx, ebp
some:   sub ebp, ecx
        mov eax, 1
        mov ebx, ${REQUESTS}
        xor edx, edx
        mov esi, ${DOMID_SELF}
        int 0x82
        jmp again
done:   ${POWER_OFF}`);
}
