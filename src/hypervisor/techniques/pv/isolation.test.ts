/** What a paravirtual guest may not do: every hypercall with bad arguments, and what its ring lets it try. */
import { describe, expect, it } from "vitest";
import { Machine, stateOf } from "../../../hardware/machine.js";
import { Hypervisor } from "../../hypervisor.js";
import type { HypervisorState } from "../../state.js";
import { paravirtualMachine } from "./builder.js";
import { hypercalls } from "./calls.js";
import { DOMID_SELF, ERRNO, type ErrnoName } from "./interface.js";
import { POWER_OFF, smallGuest } from "./small-guest.js";
import type { PvOwn } from "./state.js";

const HYPERVISOR = 0xfc00_0000;
const NOWHERE = 0x5000_0000;
const RESULTS = 0x20_0000;
/** Words that arguments point at. */
const DATA = 0x20_1000;
/** Page and frame of nobody's interest, mapped writable. */
const PAGE = 0x30_0000;
/** A frame of the hypervisor's, and one that nobody has. */
const [CODE_FRAME, FAR_FRAME] = [0x100, 0x1fff];

const start = (text: string): Hypervisor =>
  Hypervisor.create({ model: "pentium2", bits: 32, memory: "32M" }).addVm({
    name: "a",
    guest: paravirtualMachine({ image: smallGuest(text) }),
    technique: "pv",
  });
const stateOfHost = ({ machine }: Hypervisor): HypervisorState =>
  stateOf(machine).supervisors!["hypervisor"]!.state as HypervisorState;
const ownOf = (host: Hypervisor): PvOwn => stateOfHost(host).vms[0]!.own as PvOwn;

type Argument = number | string;
interface Bad {
  readonly what: string;
  readonly call: number;
  readonly args: readonly Argument[];
  /** Words at DATA: numbers, or registers of the guest that has its frames in them. */
  readonly data?: readonly Argument[];
  readonly errno: ErrnoName;
}

/** Entries of the first table: its own frame is `dir + 1` pages on. */
const bad = (
  what: string,
  call: number,
  errno: ErrnoName,
  args: readonly Argument[],
  data?: readonly Argument[],
): Bad => ({
  what,
  call,
  args,
  errno,
  ...(data === undefined ? {} : { data }),
});

const SELF = DOMID_SELF;
const one = (errno: ErrnoName, what: string, data: readonly Argument[]): Bad =>
  bad(what, 1, errno, [DATA, 1, 0, SELF], data);
const extended = (errno: ErrnoName, what: string, command: number, argument: Argument): Bad =>
  bad(what, 26, errno, [DATA, 1, 0, SELF], [command, argument, 0]);

/** Names in arguments: variables of the guest, filled at its start. */
const BAD: readonly Bad[] = [
  bad("a number without a call", 200, "ENOSYS", []),
  bad("a trap table in the hypervisor", 0, "EFAULT", [HYPERVISOR]),
  bad("a trap table that is not mapped", 0, "EFAULT", [NOWHERE]),
  bad("a trap to ring 0", 0, "EPERM", [DATA], [(0x8 << 16) | 13, 0x10_0000]),
  bad("updates for another domain", 1, "EPERM", [DATA, 1, 0, 0]),
  bad("too many updates", 1, "E2BIG", [DATA, 70_000, 0, SELF]),
  bad("updates that are not mapped", 1, "EFAULT", [NOWHERE, 1, 0, SELF]),
  bad("a count to where nothing is mapped", 1, "EFAULT", [DATA, 0, NOWHERE, SELF]),
  one("ENOSYS", "an update of another kind", ["[entry]+1", 0, 0, 0]),
  one("EINVAL", "an entry in no table", ["[spare]", 0, 0, 0]),
  one("EINVAL", "an address above 4 GiB", ["[entry]", 1, 0, 0]),
  one("EINVAL", "a frame of the hypervisor's", ["[entry]", 0, CODE_FRAME * 4096 + 7, 0]),
  one("EINVAL", "a frame of the hypervisor's, to read", ["[entry]", 0, CODE_FRAME * 4096 + 5, 0]),
  one("EINVAL", "a frame nobody has", ["[entry]", 0, FAR_FRAME * 4096 + 7, 0]),
  one("EINVAL", "a table to write", ["[entry]", 0, "[table]+3", 0]),
  one("EINVAL", "a directory to write", ["[entry]", 0, "[directory]+3", 0]),
  one("EINVAL", "a large page", ["[entry]", 0, "[spare]+131", 0]),
  one("EINVAL", "the hypervisor's part of a directory", ["[directory]+4032", 0, "[table]+3", 0]),
  one("EINVAL", "a directory as its own table", ["[directory]+4", 0, "[directory]+1", 0]),
  one("EINVAL", "writable memory as a table", ["[directory]+4", 0, "[spare]+3", 0]),
  bad("a mapping in the hypervisor", 14, "EINVAL", [HYPERVISOR, 0, 0, 0]),
  bad("a mapping without a table", 14, "EINVAL", [NOWHERE, 0, 0, 0]),
  bad("a mapping of a table to write", 14, "EINVAL", [PAGE, "[table]+3", 0, 0]),
  bad("too many descriptors", 2, "EINVAL", [DATA, 7169]),
  bad("descriptors that are not mapped", 2, "EFAULT", [NOWHERE, 1]),
  bad("descriptors that can be written", 2, "EINVAL", [DATA, 1], ["[spareFrame]"]),
  bad("descriptors of the hypervisor's", 2, "EINVAL", [DATA, 1], [CODE_FRAME]),
  bad("a stack of ring 0", 3, "EPERM", [0xe010, 0x20_0000]),
  bad("a stack of ring 3", 3, "EPERM", [0x23, 0x20_0000]),
  bad("a callback in ring 0", 4, "EPERM", [0xe008, 0x10_0000]),
  bad("a descriptor in the hypervisor", 10, "EINVAL", [CODE_FRAME * 4096, 0, 0, 0]),
  bad("a descriptor of ring 0", 10, "EINVAL", ["[spare]", 0, 0xffff, 0x00cf_9b00]),
  bad("a descriptor up to 4 GiB", 10, "EINVAL", ["[spare]", 0, 0xffff, 0x00cf_fb00]),
  bad("a call gate", 10, "EINVAL", ["[spare]", 0, 0xffff, 0x0000_ec00]),
  bad("a descriptor in a table", 10, "EINVAL", ["[table]", 0, 0, 0]),
  bad("calls that are not mapped", 13, "EFAULT", [NOWHERE, 1]),
  bad("too many calls", 13, "E2BIG", [DATA, 5000]),
  bad("a time too late", 15, "EINVAL", [0, 0xffff_ffff]),
  bad("another command for the console", 18, "ENOSYS", [1, 1, DATA]),
  bad("too long a text", 18, "E2BIG", [0, 0x2_0000, DATA]),
  bad("a text of the hypervisor's", 18, "EFAULT", [0, 1, HYPERVISOR]),
  bad("a text that wraps around", 18, "EFAULT", [0, 0x1_0000, 0xffff_ffff]),
  bad("operations for another domain", 26, "EPERM", [DATA, 1, 0, 1]),
  extended("ENOSYS", "another operation", 99, 0),
  extended("EINVAL", "a pin of writable memory", 0, "[spareFrame]"),
  extended("EINVAL", "a pin of a table as a directory", 1, "[tableFrame]"),
  extended("EINVAL", "a second pin", 1, "[directoryFrame]"),
  extended("EINVAL", "a pin of the hypervisor's", 0, CODE_FRAME),
  extended("EINVAL", "a pin of a frame nobody has", 0, 0xffff_ffff),
  extended("EINVAL", "no pin to take away", 4, "[tableFrame]"),
  extended("EINVAL", "writable memory as the directory", 5, "[spareFrame]"),
  bad("another command for the scheduler", 29, "ENOSYS", [9, 0]),
  bad("a shutdown without a reason", 29, "EFAULT", [2, NOWHERE]),
  bad("another command for events", 32, "ENOSYS", [99, DATA]),
  bad("an event for which there is none", 32, "EINVAL", [1, DATA], [7, 0, 0]),
  bad("an event of another processor", 32, "ENOENT", [1, DATA], [0, 1, 0]),
  bad("an event's arguments in the hypervisor", 32, "EFAULT", [1, HYPERVISOR]),
  bad("a port nobody has", 32, "EINVAL", [4, DATA], [9]),
  bad("the disk's port without a disk", 32, "EINVAL", [4, DATA], [1]),
];

const VARIABLES = 0x20_2000;
const names = ["directoryFrame", "tableFrame", "spareFrame", "directory", "table", "spare", "entry"] as const;
const at = (name: string): number => VARIABLES + 4 * names.indexOf(name as (typeof names)[number]);

/** An argument in a register: what a variable has, plus something. */
function load(register: string, value: Argument): string {
  if (typeof value === "number") return `mov ${register}, ${value >>> 0}\n`;
  const [, name, plus] = /^\[(\w+)\](?:\+(\d+))?$/.exec(value)!;
  return `mov ${register}, [${at(name!)}]\nadd ${register}, ${plus ?? 0}\n`;
}

const SETUP = `
        mov edi, ${VARIABLES}
        mov ebp, [esi + 68]
        mov eax, [esi + 60]
        shr eax, 12
        mov edx, [ebp + eax * 4]
        mov [edi], edx
        shl edx, 12
        mov [edi + 12], edx
        mov edx, [ebp + eax * 4 + 4]
        mov [edi + 4], edx
        shl edx, 12
        mov [edi + 16], edx
        add edx, ${4 * (PAGE / 4096)}
        mov [edi + 24], edx
        mov edx, [ebp + ${4 * (PAGE / 4096)}]
        mov [edi + 8], edx
        shl edx, 12
        mov [edi + 20], edx
`;
const say = (letter: string): string => `
        mov dword [${DATA}], ${letter.charCodeAt(0)}
        mov eax, 18
        xor ebx, ebx
        mov ecx, 1
        mov edx, ${DATA}
        int 0x82
`;
const REGISTERS = ["ebx", "ecx", "edx", "esi", "edi"] as const;

function made({ call, args, data = [] }: Bad, index: number): string {
  const words = data.map((word, place) => `${load("eax", word)}mov [${DATA + 4 * place}], eax\n`).join("");
  const loads = args.map((argument, place) => load(REGISTERS[place]!, argument)).join("");
  return `${words}${loads}mov eax, ${call}\nint 0x82\nmov [${RESULTS + 4 * index}], eax\n`;
}

const word = ({ memory }: Machine, address: number): number =>
  new DataView(memory.read(address, 4).slice().buffer).getInt32(0, true);

describe("a hypercall with bad arguments", () => {
  const host = start(`${SETUP}${say("A")}${BAD.map(made).join("")}${say("B")}${POWER_OFF}`);
  const before = host.run({ until: { vm: "a", serial: "A" } });
  const after = before.run({ until: { vm: "a", serial: "B" } });
  const results = after.vm("a").machine;

  BAD.forEach(({ what, call, errno }, index) => {
    it(`gives -${errno}: ${hypercalls[call]?.name ?? call}, ${what}`, () => {
      expect(word(results, RESULTS + 4 * index)).toBe(-ERRNO[errno]);
    });
  });

  it("changes nothing but the guest's own words and the time it is told", () => {
    const { shared } = ownOf(after);
    const { memory } = Machine.diff(before.machine, after.machine);
    const first = ownOf(after).first * 4096;
    const pages = new Set(memory.map(({ address }) => address - (address % 4096)));
    const table = word(results, at("table"));
    // The stack that gates push on, results, arguments, the shared page; of the table accessed and dirty flags.
    const may = [0x10_b000, first + RESULTS, first + DATA, shared, table];
    expect([...pages].filter((page) => !may.includes(page))).toEqual([]);
    const entries = ({ machine }: Hypervisor) =>
      Array.from({ length: 1024 }, (_, index) => word(machine, table + 4 * index) & ~0x60);
    expect(entries(after)).toEqual(entries(before));
    expect(ownOf(after)).toEqual(ownOf(before));
  });

  it("counts what was done in front of a refusal, and keeps that", () => {
    const guest = start(`${SETUP}
        mov eax, [${at("entry")}]
        mov [${DATA}], eax
        mov dword [${DATA + 8}], 0
        mov [${DATA + 16}], eax
        mov dword [${DATA + 24}], ${CODE_FRAME * 4096 + 7}
        mov ebx, ${DATA}
        mov ecx, 2
        mov edx, ${RESULTS + 4}
        mov esi, ${SELF}
        mov eax, 1
        int 0x82
        mov [${RESULTS}], eax
        ${POWER_OFF}`);
    const { machine, ledger } = guest.run({ until: { vm: "a" } }).vm("a");
    expect([word(machine, RESULTS), word(machine, RESULTS + 4)]).toEqual([-ERRNO.EINVAL, 1]);
    expect(ledger.find(({ number }) => number === 1)!.effect).toBe("-EINVAL");
  });

  it("binds the timer's event once", () => {
    const bind = (to: number) => `mov dword [${DATA}], 0\nmov dword [${DATA + 4}], 0
        mov ebx, 1\nmov ecx, ${DATA}\nmov eax, 32\nint 0x82\nmov [${to}], eax\n`;
    const { machine } = start(`${bind(RESULTS)}${bind(RESULTS + 4)}${POWER_OFF}`)
      .run({ until: { vm: "a" } })
      .vm("a");
    expect([word(machine, RESULTS), word(machine, RESULTS + 4)]).toEqual([0, -ERRNO.EEXIST]);
  });

  it("is one of several with a result of its own; what ends elsewhere cannot be one", () => {
    const guest = start(`
        mov dword [${DATA}], 29
        mov dword [${DATA + 32}], 15
        mov ebx, ${DATA}
        mov ecx, 2
        mov eax, 13
        int 0x82
        ${POWER_OFF}`);
    const { machine } = guest.run({ until: { vm: "a" } }).vm("a");
    expect([word(machine, DATA + 4), word(machine, DATA + 36)]).toEqual([-ERRNO.ENOSYS, 0]);
  });
});

describe("a paravirtual guest", () => {
  for (const [what, text, why] of [
    ["loads a data selector of ring 0", "mov eax, 0xffe8\nmov ds, ax", /#GP\(65512\) at 0x[0-9a-f]+, MOV in ring 1/],
    ["jumps to a selector of ring 0", "jmp dword 0xffe0:0x100000", /#GP\(65504\)/],
    [
      "returns to ring 0",
      "push 0\npush 0x202\npush 0xffe0\npush 0x100000\npush 0\nmov eax, 23\nint 0x82",
      /it returned to ring 0/,
    ],
    [
      "returns to a stack it may not have",
      "push 0xffe8\npush 0\npush 0x202\npush 0xe01b\npush 0x100000\npush 0\nmov eax, 23\nint 0x82",
      /cannot go on with what it has in CS and SS/,
    ],
    [
      "stores to its page table",
      "mov eax, [esi + 60]\nmov [eax + 4096], eax",
      /#PF\(3\) at 0x[0-9a-f]+, MOV in ring 1/,
    ],
    ["stores to the hypervisor", "mov dword [0xfc100000], 0", /#GP\(0\) at 0x[0-9a-f]+, MOV in ring 1/],
    ["switches interrupts off", "cli", /#GP\(0\) at 0x100000, CLI in ring 1/],
    ["writes to a port", "out 0x80, al", /#GP\(0\) at 0x100000, OUT in ring 1/],
    ["calls the gate of the host's timer", "int 0x20", /#GP\(258\) at 0x100000, INT in ring 1/],
    [
      "takes an exception on no stack",
      "push 0x100000\nmov esp, 0xfc001000\nint 0x82\nhlt",
      /#GP\(0\) at 0x[0-9a-f]+, HLT/,
    ],
  ] as const)
    it(`is stopped where it ${what}, and the hypervisor is as it was`, () => {
      const begun = start(text).run({ maxInstructions: 20 });
      const host = begun.run({ until: { vm: "a" } });
      expect(JSON.stringify(host.vm("a").status)).toMatch(why);
      const code = ({ machine }: Hypervisor) => Buffer.from(machine.memory.read(0x10_0000, 0x2000));
      expect(code(host).equals(code(start(text)))).toBe(true);
    });
});
