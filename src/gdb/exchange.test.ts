/** The protocol as bytes in, bytes out: answers, damaged and hostile input, and the ways back against single steps. */
import { describe, expect, it } from "vitest";
import { Machine } from "../hardware/machine.js";
import { guest } from "../systems/packaged-guest.js";
import { description } from "./description.js";
import { proceed, receive } from "./exchange.js";
import { keep, startOf } from "./history.js";
import { framed, PACKET_SIZE, take } from "./packets.js";
import { registersOf } from "./registers.js";
import { beginSession, edited, type Session } from "./session.js";
import { nextInstruction } from "./stop-points.js";

const rings = Machine.boot({ image: guest("rings"), memory: "16M" });
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** The session behind a packet and all the machine's way, and the payloads that were sent. */
function asked(session: Session, payload: string): { session: Session; replies: string[] } {
  let { session: now, output } = receive(session, framed(payload));
  const replies = payloads(output);
  while (now.motion !== undefined && !now.waits) {
    ({ session: now, output } = proceed(now));
    replies.push(...payloads(output));
  }
  return { session: now, replies };
}

const payloads = (output: Uint8Array): string[] =>
  take(output).received.flatMap((item) => (item.kind === "packet" ? [item.payload] : []));

const reply = (payload: string, session = beginSession(rings)): string => asked(session, payload).replies.at(-1) ?? "";

describe("packets", () => {
  it("come out of bytes as they went in, whatever is in them", () => {
    const payload = "X0,4:\u0003#$}*\u0000ÿ";
    expect(take(framed(payload))).toEqual({ received: [{ kind: "packet", payload }], rest: new Uint8Array() });
  });

  it("may come in pieces of any length", () => {
    const bytes = latin1("+$qC#b4+$?#3f");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const first = receive(beginSession(rings), bytes.subarray(0, cut));
      const second = receive(first.session, bytes.subarray(cut));
      expect(text(first.output) + text(second.output)).toBe("+$QC1#c5+$T05thread:1;#d7");
    }
  });

  it("with a wrong checksum are asked for again, and what was sent is sent again", () => {
    const { session } = receive(beginSession(rings), latin1("$qC#b4"));
    expect(text(receive(session, latin1("$qC#00")).output)).toBe("-");
    expect(text(receive(session, latin1("$qC#zz")).output)).toBe("-");
    expect(text(receive(session, latin1("-")).output)).toBe("$QC1#c5");
    expect(text(receive(session, latin1("$qC$qC#b4")).output)).toBe("-+$QC1#c5");
  });

  it("that never end are dropped at the announced length", () => {
    const endless = latin1(`$${"a".repeat(PACKET_SIZE + 100)}`);
    const { session, output } = receive(beginSession(rings), endless);
    expect([text(output), session.unread.length]).toEqual(["-", 0]);
    expect(text(receive(session, latin1("$qC#b4")).output)).toBe("+$QC1#c5");
  });

  it("go without acknowledgements once that is agreed", () => {
    const { session, output } = receive(beginSession(rings), framed("QStartNoAckMode"));
    expect(text(output)).toBe("+$OK#9a");
    expect(text(receive(session, latin1("$qC#b4")).output)).toBe("$QC1#c5");
    expect(text(receive(session, latin1("$qC#00")).output)).toMatch(/^\$E01#/);
  });
});

describe("an answer", () => {
  it("is empty where nobody knows the packet", () => {
    for (const payload of ["", "!", "x", "Z9,0,1", "qNothing", "vFile:open:", "QNonStop:1", "y1,2", "qCRC:0,1"])
      expect([payload, reply(payload)]).toEqual([payload, ""]);
  });

  it("is an error where the packet is malformed", () => {
    for (const payload of [
      "m",
      "mzz,4",
      "m0",
      "m0,",
      "m0,4,4",
      "M0,4:00",
      "M0,4:0g",
      "X0,2:a",
      "Z0,x,1",
      "z2,0",
      "p",
      "pfff",
    ])
      expect([payload, reply(payload)]).toEqual([payload, "E01"]);
    for (const payload of [
      "P0",
      "P0=12",
      "Pfff=00000000",
      "G12",
      "vCont;x",
      "vCont",
      "qRcmd,0",
      "T7",
      "Hg7",
      "C",
      "s!",
    ])
      expect([payload, reply(payload)]).toEqual([payload, "E01"]);
    expect(reply("qXfer:features:read:other.xml:0,10")).toBe("E00");
  });

  it("has at most what fits, however much is asked for", () => {
    expect(reply("m0,ffffffffffffffff").length).toBe(PACKET_SIZE);
    expect(reply("mffffffffffffff00,10")).toBe("E0e");
    expect(reply("mfffffff0,ffff")).toBe("E0e");
    expect(reply("mfffff0,20")).toBe("00".repeat(16)); // 16 MiB end there
    expect(reply(`Mfffff0,20:${"11".repeat(32)}`)).toBe("E0e");
    expect(reply("Z2,1000,0")).toBe("E16");
    expect(reply("Z2,1000,ffffffff")).toBe("E16");
  });

  it("gives the description in pieces that make the whole", () => {
    let whole = "";
    for (let more = true; more; ) {
      const piece = reply(`qXfer:features:read:target.xml:${whole.length.toString(16)},64`);
      whole += piece.slice(1);
      more = piece.startsWith("m");
    }
    expect(whole).toBe(description(32));
    for (const { name } of registersOf(32)) expect(whole).toContain(`<reg name="${name}"`);
    expect(new Set(registersOf(64).map(({ name }) => name)).size).toBe(registersOf(64).length);
  });

  it("writes registers and memory as it reads them", () => {
    const start = beginSession(rings);
    const written = asked(start, "P0=78563412").session;
    expect(written.machine.registers.eax).toBe(0x12345678);
    expect(rings.registers.eax).not.toBe(0x12345678);
    expect(reply("p0", written)).toBe("78563412");
    const all = reply("g", written);
    expect(all.startsWith("78563412")).toBe(true);
    expect(asked(start, `G${all}`).session.machine.hash).toBe(written.machine.hash);
    expect(reply("Pa=10000000", start)).toBe("E16"); // a segment register
    const bytes = asked(start, "X5000,4:\u0001}\u0003z").session;
    expect(reply("m5000,4", bytes)).toBe("017d037a");
  });
});

describe("a machine on its way", () => {
  it("can be broken into between two pieces, and goes on from there", () => {
    let session = receive(beginSession(rings), framed("c")).session;
    session = { ...session, machine: rings };
    expect(session.motion).toEqual({ kind: "forward" });
    const { session: broken, output } = receive(session, Uint8Array.of(3));
    expect(payloads(output)).toEqual(["T02thread:1;"]);
    expect(broken.motion).toBeUndefined();
    expect(text(receive(broken, Uint8Array.of(3)).output)).toBe("");
  });

  it("answers behind its stop what was asked before", () => {
    const running = receive(beginSession(rings), latin1(`${text(framed("vCont;c"))}${text(framed("qC"))}`));
    expect(text(running.output)).toBe("+");
    const replies: string[] = [];
    let { session } = running;
    while (session.motion !== undefined) {
      const { session: next, output } = proceed(session);
      session = next;
      replies.push(...payloads(output));
    }
    expect(replies.map((payload) => payload.slice(0, 3))).toEqual(["O76", "T0f", "QC1"]);
  });
});

describe("going back", () => {
  const at = rings.run({ maxInstructions: 376_000 });
  const session = ((): Session => {
    const begun = beginSession(rings.run({ maxInstructions: 370_000 }));
    return asked({ ...begun, motion: undefined }, "s").session;
  })();
  const ahead = (steps: number): Session => {
    let now = session;
    const machine = now.machine.run({ maxInstructions: steps });
    now = { ...now, machine, history: keep(now.history, machine) };
    return now;
  };

  it("finds the last breakpoint that single steps find, from every place", () => {
    const visits = new Map<number, number[]>();
    for (let machine = session.machine; machine.steps < at.steps; ) {
      machine = machine.step();
      const place = nextInstruction(machine);
      visits.set(place, [...(visits.get(place) ?? []), machine.steps]);
    }
    const end = ahead(at.steps - session.machine.steps);
    expect(end.machine.hash).toBe(at.hash);
    // Places that are come by once, some times and very often.
    const places = [...visits].filter((_, index) => index % 15 === 0);
    expect(places.length).toBeGreaterThan(5);
    for (const [linear, steps] of places) {
      let now = asked(end, `Z0,${linear.toString(16)},1`).session;
      for (const expected of steps
        .filter((step) => step < at.steps)
        .slice(-4)
        .reverse()) {
        const { session: back, replies } = asked(now, "bc");
        now = back;
        expect([linear, now.machine.steps, replies.at(-1)]).toEqual([linear, expected, "T05thread:1;swbreak:;"]);
      }
    }
  });

  it("stops in front of the last writes", () => {
    const end = ahead(at.steps - session.machine.steps);
    // The place on the stack that is written to most often.
    const stack = { address: at.registers.esp & ~0xfff, length: 4096, on: "write" } as const;
    const all = new Map<number, number[]>();
    for (let machine = session.machine; machine.steps < at.steps; ) {
      machine = machine.run({ maxInstructions: at.steps - machine.steps, watchpoints: [stack] });
      const { stop } = machine;
      if (stop?.reason === "watchpoint") all.set(stop.address, [...(all.get(stop.address) ?? []), machine.steps]);
    }
    const [address, writes] = [...all].reduce((best, next) => (next[1].length > best[1].length ? next : best));
    expect(writes.length).toBeGreaterThan(2);
    let now = asked(end, `Z2,${address.toString(16)},4`).session;
    for (const expected of writes.slice(-3).reverse()) {
      now = asked(now, "bc").session;
      expect(now.machine.steps).toBe(expected - 1);
      expect(now.stopReply).toBe(`T05thread:1;watch:${address.toString(16)};`);
    }
  });

  it("by single steps passes every machine there was", () => {
    let now = ahead(1000);
    for (let step = 0; step < 200; step++) {
      now = asked(now, "bs").session;
      expect(now.machine.steps).toBe(session.machine.steps + 1000 - step - 1);
    }
    expect(now.machine.hash).toBe(session.machine.run({ maxInstructions: 800 }).hash);
  });

  it("ends at the beginning, and does not pass over what was changed there", () => {
    const changed = edited(
      session,
      session.machine.edit(({ registers }) => {
        registers.edi = 77;
      }),
    );
    const on = asked(asked(changed, "s").session, "s").session;
    const back = asked(on, "bs").session;
    expect(asked(back, "bs").session.machine.registers.edi).toBe(77);
    const { session: first, replies } = asked(on, "bc");
    expect(replies.at(-1)).toBe("T05thread:1;replaylog:begin;");
    expect(first.machine.steps).toBe(startOf(first.history));
    expect(asked(first, "bs").replies.at(-1)).toBe("T05thread:1;replaylog:begin;");
  });
});

describe("a script", () => {
  it("is typed when the machine comes by, and again when it has gone back", () => {
    const echo = Machine.boot({ image: guest("echo"), memory: "16M" });
    const waiting = echo.run();
    const once = waiting.type("one\n").run();
    const alone = once.type("quit\n").run();
    const script = [
      { steps: waiting.steps, serial: latin1("one\n") },
      { steps: once.steps, serial: latin1("quit\n") },
    ];
    const end = asked(beginSession(echo, script), "c").session;
    expect(end.machine.hash).toBe(alone.hash);
    const start = asked(end, "bc").session;
    expect(start.machine.hash).toBe(echo.hash);
    expect(asked(start, "c").session.machine.hash).toBe(alone.hash);
  });
});

describe("hostile bytes", () => {
  it("never make it fail, and leave it able to answer", () => {
    // Linear congruential numbers: the same every time.
    let seed = 12345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    const heads = [
      ..."?gGpPmMXZzcsCSHTDqQvb",
      "qRcmd,",
      "qXfer:features:read:",
      "vCont;",
      "Z0,",
      "Z2,",
      "m0,",
      "bs",
      "bc",
    ];
    const tail = "0123456789abcdef,:;=-#$}\u0003\u0000ÿ";
    let session = beginSession(rings);
    for (let round = 0; round < 3000; round++) {
      const length = random(12);
      const payload = heads[random(heads.length)]! + Array.from({ length }, () => tail[random(tail.length)]).join("");
      const bytes = random(4) === 0 ? latin1(`$${payload}#00`) : framed(payload);
      ({ session } = receive(session, random(8) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes));
      if (session.motion !== undefined) ({ session } = receive(session, Uint8Array.of(3)));
      if (session.left !== undefined) session = { ...session, left: undefined };
    }
    ({ session } = receive(session, latin1("#00")));
    expect(reply("qC", session)).toBe("QC1");
  });
});
