import { expect, test } from "vitest";

import { NewestWins } from "../src/newest";

function job(): { run: () => Promise<string>; end: (value: string) => void; isStarted: () => boolean } {
  let end: (value: string) => void = () => undefined;
  let isStarted = false;
  const promise = new Promise<string>((resolve) => (end = resolve));
  return {
    run: () => {
      isStarted = true;
      return promise;
    },
    end: (value) => {
      end(value);
    },
    isStarted: () => isStarted,
  };
}

test("of many hovers the one that runs and the newest are answered, none else", async () => {
  const queue = new NewestWins();
  const running = job();
  const first = queue.latest(running.run);
  const rest: Promise<number | null>[] = [];
  for (let i = 0; i < 10_000; i += 1) {
    rest.push(queue.latest(() => Promise.resolve(i)));
    expect(queue.waitingHovers).toBe(1);
  }
  running.end("first");
  expect(await first).toBe("first");
  const answers = await Promise.all(rest);
  expect(answers.filter((answer) => answer !== null)).toEqual([9999]);
  expect(queue.waitingHovers).toBe(0);
});

test("clicks keep their order and go before a hover", async () => {
  const queue = new NewestWins();
  const order: string[] = [];
  const log = (name: string) => (): Promise<void> => {
    order.push(name);
    return Promise.resolve();
  };
  const running = job();
  const all = [queue.click(running.run), queue.latest(log("hover")), queue.click(log("a")), queue.click(log("b"))];
  running.end("");
  await Promise.all(all);
  expect(order).toEqual(["a", "b", "hover"]);
});

test("a job that fails fails alone", async () => {
  const queue = new NewestWins();
  const broken = queue.click(() => Promise.reject(new Error("out of memory")));
  const next = queue.click(() => Promise.resolve(1));
  await expect(broken).rejects.toThrow("out of memory");
  expect(await next).toBe(1);
});

test("a dropped hover is answered with nothing and never runs", async () => {
  const queue = new NewestWins();
  const [running, waiting] = [job(), job()];
  void queue.click(running.run);
  const hover = queue.latest(waiting.run);
  queue.dropHover();
  expect(await hover).toBeNull();
  expect(waiting.isStarted()).toBe(false);
});
