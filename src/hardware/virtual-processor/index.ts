/**
 * Processors that are a record only, for hypervisors: a guest's processor state, its memory behind an interface, its devices as
 * a value. A privileged instruction of the guest is executed by the `system` function of its row, on a `ProcessorPort` that
 * reaches nothing else; its semantics exist once.
 *
 * ```ts
 * const board = new VirtualBoard({ devices, disks, tick }, memory);  // memory: VirtualMemory, RAM and ROM of the guest
 * const processor = new VirtualProcessor(cpu, board);                // cpu: CpuState of the guest, as it has it by itself
 * board.advance(tick);                                               // what devices do by themselves until then
 * processor.deliverWaiting()                                         // debug trap, NMI, interrupt, code breakpoint; or undefined
 * processor.execute()                                                // the instruction at CS:EIP, if it is a system one
 * processor.raise(fault, cr2)                                        // a fault of that instruction, through the guest's IDT
 * processor.deliver({ vector, type: "interrupt" })                   // what is injected between instructions
 * processor.step()                                                   // all of these, as a machine makes one step
 * processor.wakesAt                                                  // HLT: the tick that ends it
 * processor.cpu; board.devices; board.disks; board.now; board.stop   // what they have become
 * ```
 *
 * `execute`, `raise`, `deliver` and `step` give an `Outcome`: "done" (with `delivered` for deliveries), "repeats" (REP has
 * iterations left), "fault" (nothing was done but CR2; deliver it with `raise`, or do what a hypervisor does), "not-here"
 * (generated code executes it: nothing was done, `instruction` is what stands there), "triple-fault" (the processor shuts
 * down), "unsupported". A step that was made counts a tick (`board.now`); the hypervisor sets `advance` after what the guest
 * executed directly. `execute(instruction)` takes what was decoded already and fetches nothing; `processor.instruction` is what was fetched.
 *
 * Nothing given is changed: `cpu`, `devices` and `disks` are replaced, only `memory.write` has an effect, and it is called
 * for accessed and dirty flags of the guest's page tables, too. Each access walks these tables; `invalidate` has nothing to
 * do. Where `memory.has` says no, devices answer (registers in memory, the local APIC), and all ones where there is none. The
 * A20 gate is in front of `memory`, but not of devices' own accesses. A guest of a guest is "unsupported".
 *
 * PUSHF is executed here, too, though generated code has it: see `unlisted.ts`.
 */
export { type BoardState, VirtualBoard } from "./board.js";
export type { VirtualMemory } from "./memory.js";
export { type Outcome, VirtualProcessor } from "./processor.js";
export { systemOf } from "./unlisted.js";
