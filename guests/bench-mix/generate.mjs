/**
 * Writes the workload of bench-mix: about 20,000 different instructions in one straight line, a third of them with a
 * memory operand, with short forward conditional jumps and a call to another page about every 60 instructions.
 *
 * The mix is random but seeded, so the text is the same on every machine. A conditional jump, SETcc, ADC or SBB always
 * directly follows an instruction that defines the flags it reads, so no processor may disagree about the result.
 * Left out on purpose: division (it could fault), string instructions, everything privileged.
 */

const INSTRUCTIONS = 20_000;
const CALL_EVERY = 60;
const LEAVES = 64;
const SEED = 0x5eed0001;

/** mulberry32: 32 bits of state, the same sequence everywhere. */
function randomSource(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Assembly text for nasm; defines `workload(rounds)`. */
export function generateMix() {
  const random = randomSource(SEED);
  const pick = (list) => list[random(list.length)];
  const lines = [];
  const emit = (text) => lines.push(`        ${text}`);

  // EBX is the base of the data, ESI an index below 256, EBP the number of rounds left; the rest is written freely.
  const DESTINATIONS = {
    32: ["eax", "ecx", "edx", "edi"],
    16: ["ax", "cx", "dx", "di"],
    8: ["al", "cl", "dl", "ah", "ch", "dh"],
  };
  const SOURCES = { ...DESTINATIONS, 32: [...DESTINATIONS[32], "esi", "ebx"] };
  const SIZE_WORD = { 32: "dword", 16: "word", 8: "byte" };
  const CONDITIONS = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];
  const size = () => pick([32, 32, 32, 32, 32, 32, 32, 16, 8, 8]);
  const immediate = (bits) =>
    random(3) > 0 ? random(128) : random(bits === 32 ? 0x7fffffff : bits === 16 ? 0x7fff : 0x7f);
  const address = () => {
    const offset = random(0x3f00) & ~3;
    const form = random(8);
    if (form < 5) return `[ebx + ${offset}]`;
    if (form < 7) return `[ebx + esi*4 + ${offset}]`;
    return `[data + esi + ${offset}]`;
  };

  const comparison = () => {
    const bits = size();
    const a = pick(DESTINATIONS[bits]);
    const form = random(6);
    if (form === 0) emit(`cmp ${a}, ${immediate(bits)}`);
    else if (form < 3) emit(`cmp ${a}, ${pick(SOURCES[bits])}`);
    else if (form === 3) emit(`cmp ${a}, ${address()}`);
    else if (form === 4) emit(`test ${a}, ${pick(SOURCES[bits])}`);
    else emit(`cmp ${SIZE_WORD[bits]} ${address()}, ${immediate(bits)}`);
  };

  // Each entry writes `cost` instructions; `weight` says how often it is chosen.
  const forms = [
    { weight: 14, cost: 1, write: () => registerAlu() },
    { weight: 12, cost: 1, write: () => loadAlu() },
    { weight: 5, cost: 1, write: () => storeAlu() },
    { weight: 14, cost: 1, write: () => load() },
    { weight: 10, cost: 1, write: () => store() },
    { weight: 8, cost: 1, write: () => move() },
    {
      weight: 5,
      cost: 1,
      write: () =>
        emit(
          `lea ${pick(DESTINATIONS[32])}, [${pick(DESTINATIONS[32])} + ${pick(DESTINATIONS[32])}*${pick([1, 2, 4, 8])} + ${immediate(32)}]`,
        ),
    },
    {
      weight: 5,
      cost: 1,
      write: () => emit(`${pick(["shl", "shr", "sar", "rol", "ror"])} ${pick(DESTINATIONS[32])}, ${1 + random(31)}`),
    },
    {
      weight: 2,
      cost: 1,
      write: () => emit(`${pick(["shl", "shr", "sar", "rol", "ror"])} ${pick(["eax", "edx", "edi"])}, cl`),
    },
    { weight: 2, cost: 1, write: () => emit(`imul ${pick(DESTINATIONS[32])}, ${pick(SOURCES[32])}`) },
    { weight: 4, cost: 1, write: () => emit(`${pick(["inc", "dec", "neg", "not"])} ${pick(DESTINATIONS[size()])}`) },
    { weight: 2, cost: 1, write: () => emit(`movzx esi, ${pick(DESTINATIONS[8])}`) },
    { weight: 1, cost: 1, write: () => emit(`xchg ${pick(DESTINATIONS[32])}, ${pick(DESTINATIONS[32])}`) },
    { weight: 1, cost: 1, write: () => emit("cdq") },
    {
      weight: 2,
      cost: 2,
      write: () => {
        comparison();
        emit(`set${pick(CONDITIONS)} ${pick(DESTINATIONS[8])}`);
      },
    },
    {
      weight: 2,
      cost: 2,
      write: () => {
        emit(`add ${pick(DESTINATIONS[32])}, ${pick(SOURCES[32])}`);
        emit(`${pick(["adc", "sbb"])} ${pick(DESTINATIONS[32])}, ${immediate(32)}`);
      },
    },
    {
      weight: 2,
      cost: 2,
      write: () => {
        emit(`push ${pick(SOURCES[32])}`);
        emit(`pop ${pick(DESTINATIONS[32])}`);
      },
    },
  ];
  const total = forms.reduce((sum, form) => sum + form.weight, 0);
  const ALU = ["add", "sub", "and", "or", "xor"];
  function registerAlu() {
    const bits = size();
    emit(`${pick(ALU)} ${pick(DESTINATIONS[bits])}, ${random(3) === 0 ? immediate(bits) : pick(SOURCES[bits])}`);
  }
  function loadAlu() {
    const bits = size();
    emit(`${pick([...ALU, "cmp"])} ${pick(DESTINATIONS[bits])}, ${address()}`);
  }
  function storeAlu() {
    const bits = size();
    const source = random(3) === 0 ? immediate(bits) : pick(SOURCES[bits]);
    emit(`${pick(ALU)} ${SIZE_WORD[bits]} ${address()}, ${source}`);
  }
  function load() {
    const form = random(8);
    if (form < 6) emit(`mov ${pick(DESTINATIONS[32])}, ${address()}`);
    else emit(`${pick(["movzx", "movsx"])} ${pick(DESTINATIONS[32])}, ${pick(["byte", "word"])} ${address()}`);
  }
  function store() {
    const bits = size();
    emit(`mov ${address()}, ${pick(SOURCES[bits])}`);
  }
  function move() {
    if (random(3) === 0) emit(`mov ${pick(DESTINATIONS[32])}, ${immediate(32)}`);
    else emit(`mov ${pick(DESTINATIONS[32])}, ${pick(SOURCES[32])}`);
  }
  const one = () => {
    let at = random(total);
    const form = forms.find((candidate) => {
      at -= candidate.weight;
      return at < 0;
    });
    form.write();
    return form.cost;
  };

  lines.push("; Generated by generate.mjs.", "bits 32", "global workload", "section .text", "workload:");
  for (const register of ["ebx", "esi", "edi", "ebp"]) emit(`push ${register}`);
  emit("mov ebp, [esp + 20]");
  emit("mov ebx, data");
  for (const register of ["eax", "ecx", "edx", "esi", "edi"]) emit(`xor ${register}, ${register}`);
  emit("test ebp, ebp");
  emit("jz near .done");
  lines.push(".round:");

  let label = 0;
  let written = 0;
  let untilCall = CALL_EVERY;
  while (written < INSTRUCTIONS) {
    const before = written;
    if (untilCall <= 0) {
      emit(`call leaf_${random(LEAVES)}`);
      written += 1;
      untilCall = CALL_EVERY - 10 + random(20);
    } else if (random(16) === 0) {
      const target = `.forward_${label++}`;
      comparison();
      emit(`j${pick(CONDITIONS)} ${target}`);
      written += 2;
      for (let skipped = 1 + random(5); skipped > 0; skipped--) written += one();
      lines.push(`${target}:`);
    } else {
      written += one();
    }
    untilCall -= written - before;
  }
  emit("dec ebp");
  emit("jnz near .round");
  lines.push(".done:");
  for (const register of ["ecx", "edx", "esi", "edi"]) emit(`xor eax, ${register}`);
  emit("mov ecx, DATA_SIZE / 4");
  lines.push(".fold:");
  emit("rol eax, 3");
  emit("add eax, [ebx]");
  emit("add ebx, 4");
  emit("dec ecx");
  emit("jnz .fold");
  for (const register of ["ebp", "edi", "esi", "ebx"]) emit(`pop ${register}`);
  emit("ret");

  // On pages of their own, so that every call from the body leaves its page.
  lines.push("section .text.leaves align=4096");
  for (let leaf = 0; leaf < LEAVES; leaf++) {
    lines.push(`leaf_${leaf}:`);
    for (let count = 3 + random(6); count > 0; count--) one();
    emit("ret");
  }
  lines.push("section .bss", "align 4096", "DATA_SIZE equ 20480", "data: resb DATA_SIZE", "");
  return lines.join("\n");
}
