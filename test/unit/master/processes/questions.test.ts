import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Questions } from "../../../../src/master/processes/questions.js";
import { FakeTimers } from "../../fake-timers.js";

function setUp(): {
  timers: FakeTimers;
  questions: Questions<string>;
  asked: [string, number][];
  send: (name: string, id: number) => boolean;
} {
  const timers = new FakeTimers();
  const asked: [string, number][] = [];
  return { timers, questions: new Questions(timers, 1000), asked, send: (name, id) => asked.push([name, id]) > 0 };
}

describe("questions", () => {
  it("are over when every child has answered", async () => {
    const { questions, asked, send } = setUp();
    const over = questions.ask(["edge-1", "edge-2"], send);
    for (const [name, id] of asked) questions.answer(name, id, `${name} is well`);
    const { answers, silent } = await over;
    assert.deepEqual(
      [...answers],
      [
        ["edge-1", "edge-1 is well"],
        ["edge-2", "edge-2 is well"],
      ],
    );
    assert.deepEqual(silent, []);
  });

  it("are over at once when there is nobody to ask", async () => {
    const { answers, silent } = await setUp().questions.ask(["edge-1"], () => false);
    assert.deepEqual([answers.size, silent], [0, []]);
  });

  it("tell who has not answered in time", async () => {
    const { timers, questions, asked, send } = setUp();
    const over = questions.ask(["edge-1", "edge-2"], send);
    questions.answer("edge-1", asked[0]?.[1] ?? 0, "yes");
    timers.pass(1000);
    const { answers, silent } = await over;
    assert.deepEqual([[...answers.keys()], silent], [["edge-1"], ["edge-2"]]);
  });

  it("do not wait for a child that is gone", async () => {
    const { questions, send } = setUp();
    const over = questions.ask(["edge-1"], send);
    questions.gone("edge-1");
    assert.deepEqual((await over).silent, []);
  });

  it("keep two rounds apart, and drop an answer that comes late", async () => {
    const { timers, questions, asked, send } = setUp();
    const first = questions.ask(["edge-1"], send);
    timers.pass(1000);
    assert.deepEqual((await first).silent, ["edge-1"]);
    const second = questions.ask(["edge-1"], send);
    questions.answer("edge-1", asked[0]?.[1] ?? 0, "to the first");
    questions.answer("edge-1", asked[1]?.[1] ?? 0, "to the second");
    assert.deepEqual([...(await second).answers.values()], ["to the second"]);
  });
});
