/*
 * What is done at each exit, and the line that tells it.
 *
 * Manual: Intel SDM volume 3, "Recording VM-Exit Information and Updating VM-Entry Control Fields"; appendix "VMX Basic
 * Exit Reasons"; "VM-Instruction Error Numbers".
 */
#include "hypervisor.h"

static u32 field(u32 number) {
  u32 value = 0;
  vmread(number, &value);
  return value;
}

void say_status(const char *what, u32 status) {
  put_text(what);
  if (status == VM_SUCCEED) put_text(": done");
  if (status == VM_FAIL_INVALID) put_text(": VMfailInvalid");
  if (status == VM_FAIL_VALID) {
    put_text(": VMfailValid ");
    put_decimal(field(INSTRUCTION_ERROR));
  }
  put_char('\n');
}

/* Behind the instruction, as if it had been carried out. */
static void skip(void) {
  vmwrite(GUEST_RIP, field(GUEST_RIP) + field(EXIT_INSTRUCTION_LENGTH));
  vmwrite(GUEST_INTERRUPTIBILITY, 0);
}

static void say(const char *name, u32 value) {
  put_text(" ");
  put_text(name);
  put_char(' ');
  put_hex(value, 8);
}

static int on_exception(struct registers *registers) {
  (void)registers;
  u32 information = field(EXIT_INTERRUPTION);
  say("interruption", information & 0x80000fff);
  switch (information & 0xff) {
    case 3:
      say("length", field(EXIT_INSTRUCTION_LENGTH));
      skip();
      return 1;
    case 6:
      vmwrite(GUEST_RIP, field(GUEST_RIP) + 2); /* UD2; the length is not defined for faults */
      return 1;
    case 14:
      say("error", field(EXIT_INTERRUPTION_ERROR));
      say("qualification", field(EXIT_QUALIFICATION));
      map_absent_page();
      return 1;
    default:
      return 0;
  }
}

static int on_cpuid(struct registers *registers) {
  say("leaf", registers->eax);
  registers->eax = 0x40000000;
  registers->ebx = 0x21324d56; /* what the guest will send: "VM2!" */
  registers->ecx = registers->edx = 0;
  skip();
  return 1;
}

static int on_io(struct registers *registers) {
  u32 qualification = field(EXIT_QUALIFICATION);
  u32 mask = (qualification & 7) == 3 ? ~0u : (qualification & 7) == 1 ? 0xffffu : 0xffu;
  say("qualification", qualification);
  if ((qualification & 8) != 0) registers->eax = (registers->eax & ~mask) | (0x60 & mask);
  else say("out", registers->eax & mask);
  skip();
  return 1;
}

static int on_rdmsr(struct registers *registers) {
  say("number", registers->ecx);
  registers->eax = 0xfee00900;
  registers->edx = 0;
  skip();
  return 1;
}

static int on_wrmsr(struct registers *registers) {
  say("number", registers->ecx);
  say("value", registers->eax);
  skip();
  return 1;
}

/* TS goes into the shadow, from MOV (the guest uses EAX) and from CLTS. */
static int on_control_register(struct registers *registers) {
  u32 qualification = field(EXIT_QUALIFICATION);
  say("qualification", qualification & 0xf3f); /* without what only LMSW defines */
  vmwrite(CR0_SHADOW, (qualification >> 4 & 3) == 0 ? registers->eax & 8 : 0);
  skip();
  return 1;
}

/* An interrupt comes, and the guest is awake again. */
static int on_hlt(struct registers *registers) {
  (void)registers;
  say("interruptibility", field(GUEST_INTERRUPTIBILITY));
  skip();
  vmwrite(ENTRY_INTERRUPTION, EXTERNAL_INTERRUPT | GUEST_VECTOR);
  return 1;
}

static int on_ept_violation(struct registers *registers) {
  static const u32 nothing[4];
  (void)registers;
  say("qualification", field(EXIT_QUALIFICATION) & 0x1bf);
  say("physical", field(GUEST_PHYSICAL_ADDRESS));
  map_absent_page();
  if (invept(2, nothing) != VM_SUCCEED) put_text(" INVEPT FAILED");
  return 1;
}

static int on_vmcall(struct registers *registers) {
  say("eax", registers->eax);
  return 0;
}

static const struct {
  u32 reason;
  const char *name;
  int (*handle)(struct registers *registers);
  int has_length;
} exits[] = {
    {EXIT_EXCEPTION, "exception", on_exception, 0},
    {EXIT_CPUID, "CPUID", on_cpuid, 1},
    {EXIT_HLT, "HLT", on_hlt, 1},
    {EXIT_VMCALL, "VMCALL", on_vmcall, 1},
    {EXIT_CONTROL_REGISTER, "control register", on_control_register, 1},
    {EXIT_IO, "I/O", on_io, 1},
    {EXIT_RDMSR, "RDMSR", on_rdmsr, 1},
    {EXIT_WRMSR, "WRMSR", on_wrmsr, 1},
    {EXIT_EPT_VIOLATION, "EPT violation", on_ept_violation, 0},
};

int handle_exit(struct registers *registers) {
  u32 reason = field(EXIT_REASON);
  put_text("exit ");
  put_hex(reason, 8);
  say("rip", field(GUEST_RIP));
  for (u32 i = 0; i < sizeof exits / sizeof exits[0]; i++) {
    if (exits[i].reason != reason) continue;
    if (exits[i].has_length) say("length", field(EXIT_INSTRUCTION_LENGTH));
    put_char(' ');
    put_text(exits[i].name);
    int goes_on = exits[i].handle(registers);
    put_char('\n');
    return goes_on;
  }
  say("qualification", field(EXIT_QUALIFICATION));
  put_text(" unexpected\n");
  serial_end();
  debug_exit(EXIT_BAD);
}
