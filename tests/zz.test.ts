import { it } from "vitest";
import { openHost } from "./support/native-host.js";
import { compareCases } from "./support/native-comparison.js";
import { codeOf } from "./support/native-machine.js";
it("x",()=>{
 const tt=Date.now(); const judge = openHost(); if (typeof judge === "string") throw new Error(judge);
 const t=Date.now();
 const {figures, found} = compareCases({judge, count: Number(process.env.N??2000), seed: Number(process.env.SEED??1), most: 1e9});
 console.log(judge.segments, figures, Date.now()-t, found.length);
 const groups = new Map();
 for (const d of found){ const k=d.test.steps.length+" "+d.test.steps.map(s=>s.choice.row.mnemonic).slice(-1)[0]+" "+d.what.map(w=>w.split(" ")[0]).join(); const l=groups.get(k)??[]; l.push(d); groups.set(k,l);}
 for (const [k,l] of [...groups].sort((a,b)=>b[1].length-a[1].length).slice(0,Number(process.env.G??25))) { const d=l.reduce((a,b)=>a.test.steps.length<=b.test.steps.length?a:b); console.log(l.length,k, d.test.steps.map(s=>`${s.choice.row.mnemonic} ${s.choice.row.opcode} ${s.choice.size}/${s.choice.addressSize}`).join("; "), Buffer.from(codeOf(d.test)).toString("hex").replace(/(f4)+$/,""), "sel",d.test.selectors.join(), "start", d.test.start.toString(16), d.what.join("; "), "regs", d.test.registers.map(r=>r.toString(16)).join()); }
}, 1e6);
