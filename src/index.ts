/** The public surface of virtlab. */
import { installDisplays } from "./view/install.js";

export type { DiskChoice } from "./hardware/boot/disks.js";
export type { BootModule } from "./hardware/boot/multiboot-info.js";
export type { BootOptions, CreateOptions } from "./hardware/boot/start.js";
export {
  type CostEntry,
  type CostMark,
  type CostTable,
  costTable,
  scaled,
} from "./hardware/cost/cost-table.js";
export {
  type CountedRun,
  type CountOptions,
  combined,
  countRun,
  countsBetween,
  exitCounts,
} from "./hardware/cost/counts.js";
export { type CostPart, cycles, explainCycles } from "./hardware/cost/cycles.js";
export {
  adamsAgesen2006,
  compareNanobenchmark,
  compareNanobenchmarks,
  type Nanobenchmark,
  type NanobenchmarkCounts,
  type NanobenchmarkFlip,
  type NanobenchmarkResult,
  type NanobenchmarkWay,
  type PublishedCycles,
  type VmmWay,
} from "./hardware/cost/nanobenchmarks.js";
export { type CostCounts, type CostPrimitive, costPrimitives, primitiveOfExit } from "./hardware/cost/primitives.js";
export {
  type CostRow,
  type PerturbedTable,
  type PerturbOptions,
  perturbed,
  type RowWinner,
  winners,
  worstFor,
} from "./hardware/cost/sensitivity.js";
export { type CostTableName, costTables } from "./hardware/cost/tables.js";
export type { FloatingState } from "./hardware/cpu/floating.js";
export type { DeliveredEvent, NestedFault } from "./hardware/cpu/guest-operation.js";
export { type ModelName, modelNames } from "./hardware/cpu/model.js";
export type { ExtendedEntry, NestedReference, NestedWalk } from "./hardware/cpu/nested-walk.js";
export type { PageTableEntry, PageTableName, PageWalk } from "./hardware/cpu/page-walk.js";
export type { RuleName } from "./hardware/cpu/rules.js";
export type {
  CpuState,
  GeneralRegisters,
  Mode,
  PendingEvents,
  Segment,
  SegmentName,
  Shadow,
  SystemState,
  TableRegister,
} from "./hardware/cpu/state.js";
export type { ApicSystemState } from "./hardware/devices/apic-system.js";
export type { ApicTimerState } from "./hardware/devices/apic-timer.js";
export type { AtaChannelState, AtaTransfer } from "./hardware/devices/ata-channel.js";
export type { AtaDriveState } from "./hardware/devices/ata-drive.js";
export type { DeviceSet } from "./hardware/devices/bus.js";
export type { DebugConsoleState } from "./hardware/devices/debug-console.js";
export type { DebugExitState } from "./hardware/devices/debug-exit.js";
export type { I8042State } from "./hardware/devices/i8042.js";
export type { IdeState } from "./hardware/devices/ide.js";
export type { IoApicState, Redirection } from "./hardware/devices/io-apic.js";
export type { LocalApicState, LvtName } from "./hardware/devices/local-apic.js";
export type { ExtraDevice, MachineName } from "./hardware/devices/machines.js";
export type { Mc146818State } from "./hardware/devices/mc146818.js";
export type { PciState } from "./hardware/devices/pci.js";
export type { ConfigState, PciFunctionName } from "./hardware/devices/pci-config.js";
export type { PicPairState } from "./hardware/devices/pic-pair.js";
export type { Pic8259State } from "./hardware/devices/pic8259.js";
export type { PitChannelState } from "./hardware/devices/pit-channel.js";
export type { Pit8254State } from "./hardware/devices/pit8254.js";
export type { DeviceConfig } from "./hardware/devices/port-map.js";
export type { PostCodeState } from "./hardware/devices/post-code.js";
export type { PowerManagementState } from "./hardware/devices/power-management.js";
export type { Ps2KeyboardState } from "./hardware/devices/ps2-keyboard.js";
export type { ResetControlState } from "./hardware/devices/reset-control.js";
export type { RtcAlarm, RtcTime } from "./hardware/devices/rtc-time.js";
export type { Uart16550State } from "./hardware/devices/uart16550.js";
export type { VgaState } from "./hardware/devices/vga.js";
export type { VirtioBlockState } from "./hardware/devices/virtio-block.js";
export type { VirtioConsoleState } from "./hardware/devices/virtio-console.js";
export type { VirtioRngState } from "./hardware/devices/virtio-rng.js";
export type { VirtqueueState } from "./hardware/devices/virtqueue.js";
export { diff } from "./hardware/diff.js";
export type { DiskImage } from "./hardware/disk.js";
export type { Watchpoint } from "./hardware/engine/stops.js";
export type { DescriptorEntry, DescriptorKind, DescriptorTableName } from "./hardware/inspect/descriptor.js";
export {
  type DiskMap,
  type DiskMapOptions,
  type DiskRange,
  diskMap,
  type SectorState,
} from "./hardware/inspect/disk-map.js";
export { type DiskTransfer, diskTransfers } from "./hardware/inspect/disk-transfers.js";
export type { VmEntryCheck, WhyEntryFails } from "./hardware/inspect/entry-failures.js";
export type { SelectorErrorCode } from "./hardware/inspect/error-code.js";
export type { DeliveredException, MetFault } from "./hardware/inspect/exception.js";
export type { ExplainedOperand, Explanation } from "./hardware/inspect/explain.js";
export type { FlagName, Flags } from "./hardware/inspect/flags.js";
export type { InstructionAt } from "./hardware/inspect/instruction-at.js";
export type {
  InterruptController,
  InterruptControllerLine,
  InterruptControllers,
} from "./hardware/inspect/interrupt-controllers.js";
export type { InventoryDifference, InventoryItem, InventoryKind } from "./hardware/inspect/inventory.js";
export type { Privilege } from "./hardware/inspect/privilege.js";
export type { RegisterValue } from "./hardware/inspect/registers.js";
export type { Screen, ScreenCell } from "./hardware/inspect/screen.js";
export type { LoadCheck, Selector } from "./hardware/inspect/selector.js";
export type { AllowedPorts, IoPermissions, TaskState } from "./hardware/inspect/task-state.js";
export { type VectorClass, type VectorMeaning, vectorMeaning, vectors } from "./hardware/inspect/vectors.js";
export type { ExitReasonEntry, ExitSource, ExplainedExit, VmTechnology } from "./hardware/inspect/vm-exits.js";
export type { FindTransitionOptions, FoundTransition, VmMove, VmTransition } from "./hardware/inspect/vm-transition.js";
export type { Vmcb } from "./hardware/inspect/vmcb.js";
export type { Vmcs, VmcsState } from "./hardware/inspect/vmcs.js";
export type { ExplainedFault, Why } from "./hardware/inspect/why.js";
export {
  type Assembled,
  type AssembleOptions,
  assemble,
  type ListingLine,
} from "./hardware/isa/assembler/assembler.js";
export { type DisassembledInstruction, type DisassembleOptions, disassemble } from "./hardware/isa/disassembler.js";
export type { CodeBits, InstructionGroup } from "./hardware/isa/instruction.js";
export {
  type Counters,
  type EditableMachine,
  type LinearAddress,
  Machine,
  type MachineDifference,
  type Registers,
  type RunOptions,
  type Until,
  type WalkAccess,
} from "./hardware/machine.js";
export type { BytesReader, DiskDifference, DiskReader, MemoryReader } from "./hardware/machine-content.js";
export type { EventKind, MachineEvent, Stop, Turn, VmExitEvent } from "./hardware/state.js";
export type { SvmGuest, SvmState } from "./hardware/svm/state.js";
export { type VmcbField, vmcbFields } from "./hardware/svm/vmcb.js";
export { type AssembleToyOptions, assembleToy } from "./hardware/toy/assembler.js";
export { disassembleToy, type ToyInstruction } from "./hardware/toy/disassembler.js";
export {
  type EditableToyMachine,
  type ToyBootOptions,
  type ToyCreateOptions,
  ToyMachine,
  type ToyMachineRunOptions,
  type ToyRegisters,
  type ToyUntil,
} from "./hardware/toy/machine.js";
export type { ToyRegisterName, ToyStop } from "./hardware/toy/state.js";
export type { SecondaryControl } from "./hardware/vmx/controls.js";
export {
  type Field as VmcsField,
  type FieldName as VmcsFieldName,
  fields as vmcsFields,
} from "./hardware/vmx/fields.js";
export type { VmxGuest, VmxState } from "./hardware/vmx/state.js";
export { Hypervisor } from "./hypervisor/hypervisor.js";
export { type AttackName, attackNames } from "./hypervisor/isolation/attacks.js";
export type { AttackReport, IsolationOptions, Verdict } from "./hypervisor/isolation/battery.js";
export type { GuardedName } from "./hypervisor/isolation/guarded.js";
export type { AttackRow, PillCell, PillRow } from "./hypervisor/isolation/matrix.js";
export { type Protection, type ProtectionName, protections } from "./hypervisor/isolation/protections.js";
export type { PillValue, RedPillOptions, RedPillReport } from "./hypervisor/isolation/red-pills.js";
export type { LedgerEntry } from "./hypervisor/ledger.js";
export { ledgerCounts } from "./hypervisor/ledger-costs.js";
export {
  type NanobenchmarkMeasure,
  type NanobenchmarkOptions,
  type NanobenchmarkReport,
  nanobenchmarks,
} from "./hypervisor/nanobenchmarks.js";
export type { HostOptions, HypervisorRunOptions, Vm, VmOptions } from "./hypervisor/options.js";
export type { Finding, Findings, InstructionClass, Property, Trial } from "./hypervisor/sensitivity/classify.js";
export type { InstructionForm } from "./hypervisor/sensitivity/forms.js";
export type { Effect, Outcome } from "./hypervisor/sensitivity/outcome.js";
export {
  type FormReport,
  type MnemonicReport,
  type SensitivityOptions,
  type SensitivityReport,
  sensitivity,
  type TheoremReport,
} from "./hypervisor/sensitivity/report.js";
export type { MachineTrial } from "./hypervisor/sensitivity/trials.js";
export type { World, WorldName } from "./hypervisor/sensitivity/worlds.js";
export type { ShadowCounts } from "./hypervisor/shadow/state.js";
export type { ShadowEntryView, ShadowTables, ShadowTableView } from "./hypervisor/shadow/view.js";
export type { VmStatus } from "./hypervisor/state.js";
export type { ExitStatistics, VmStatistics } from "./hypervisor/statistics.js";
export type { Link as TranslationLink, TranslatedBlock, TranslationView } from "./hypervisor/techniques/bt/view.js";
export { type TechniqueName, techniqueNames } from "./hypervisor/techniques/names.js";
export { type ParavirtualOptions, paravirtualMachine } from "./hypervisor/techniques/pv/builder.js";
export { smallGuest, updateGuest } from "./hypervisor/techniques/pv/small-guest.js";
export { type HypercallEntry, hypercallTable } from "./hypervisor/techniques/pv/view.js";
export type { Vcpu } from "./hypervisor/vcpus.js";
export {
  Kernel,
  type KernelMount,
  type KernelOptions,
  type KernelRunOptions,
  type KernelUntil,
  type SpawnedProcess,
  type SpawnOptions,
} from "./kernel/kernel.js";
export type { Stream } from "./kernel/options.js";
export type { RootEntry } from "./kernel/root.js";
export type { FileRow, MountRow, NamespaceKind, NamespaceRow, ProcessRow } from "./kernel/views.js";
export { type ProgressBar, type ProgressOptions, type ProgressWord, progress } from "./notebook/progress/progress.js";
export type { BytesDifference, StateDifference } from "./state/diff.js";
export { type Divergence, type DivergenceOptions, firstDivergence } from "./state/divergence.js";
export { VirtlabError } from "./state/error.js";
export type { PlainData } from "./state/plain-data.js";
export type { OnProgress, Progress } from "./state/progress.js";
export type { Steppable } from "./state/steppable.js";
export { type Change, type FindOptions, type LastChangeOptions, type MoveOptions, Timeline } from "./state/timeline.js";
export { type BootDiskOptions, bootDisk } from "./systems/boot-disk.js";
export { type BootSample, type BuiltBoot, builtState, builtStateBoot } from "./systems/built-state.js";
export { type KernelLines, kernelLines } from "./systems/kernel-lines.js";
export { guest } from "./systems/packaged-guest.js";
export { DISPLAY, type Display, type Displayable, type MimeBundle } from "./view/display.js";
export type { MachineDisplayOptions } from "./view/displays/machine-display.js";
export type { ToyDisplayOptions } from "./view/displays/toy-display.js";
export {
  attackMatrix,
  descriptorTable,
  entryChecks,
  exitReasons,
  exitsBetween,
  explain,
  explainExit,
  findVmTransition,
  flagsOf,
  interruptControllers,
  inventory,
  inventoryDifference,
  isolation,
  pillMatrix,
  redPills,
  registersOf,
  screen,
  selector,
  shadowTables,
  taskState,
  vmcb,
  vmcs,
  vmStatistics,
  vmTransition,
  why,
  whyEntryFails,
} from "./view/inspections.js";
export type { Axis, AxisLike } from "./view/plot/axis.js";
export { Figure, type FigureWords, type PlotlyFigure } from "./view/plot/figure.js";
export { type PlotOptions, plot } from "./view/plot/plot.js";
export { type FigureSources, type Hashed, type Provenance, provenanceOf } from "./view/plot/provenance.js";
export { figureOfRun } from "./view/plot/run-figure.js";
export type { ProfileOptions } from "./view/plot/run-profile.js";
export type { ScrubberAt } from "./view/scrubber/places.js";
export { type ScrubberOptions, scrubber } from "./view/scrubber/scrubber.js";
export { type Inspection, type Showable, show } from "./view/show.js";
export { type CellMark, type TableOptions, type TableRecord, tableOf } from "./view/table/table-display.js";

installDisplays();
