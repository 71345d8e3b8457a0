import { it } from "vitest";
import { NativeMachine } from "./support/native-machine.js";
import { fuzzCase } from "./support/native-cases.js";
import { Random } from "./support/random.js";
it("x",()=>{
 for (const segments of [false,true]) {
 const r=new Random(1); const m=new NativeMachine();
 let t=performance.now(); const cs=[]; for(let i=0;i<4000;i++) cs.push(fuzzCase(i,r,{segments})); console.log("gen",performance.now()-t);
 t=performance.now(); for(const c of cs) m.run(c); console.log("run",performance.now()-t);
 t=performance.now(); for(const c of cs) m.run(c); console.log("run",performance.now()-t);
 }
});
