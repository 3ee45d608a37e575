// graphile-worker under the benchmark's command: a line of JSON on the standard input is one order, a line of JSON on the
// standard output its answer. `layer-bench queue` starts it; docs/benchmarks.md says how it is measured.
//
// Only its public interface is used: `makeWorkerUtils().addJobs` and `run`. What it asks the database for is seen through
// a `pg.Client` that takes the time of each statement; nothing is changed.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { makeWorkerUtils, Logger, run } from "graphile-worker";
import pg from "pg";

const { version } = JSON.parse(readFileSync(new URL("node_modules/graphile-worker/package.json", import.meta.url)));
const TASK = "noop";
/** Jobs of one statement while the queue is filled to its depth, which is not measured. */
const FILL_BATCH = 10_000;

const seen = { claims: [], completed: 0, warm: false, watch: null };

class Watched extends pg.Client {
  query(...given) {
    const name = given[0]?.name ?? "";
    const begun = process.hrtime.bigint();
    const answer = super.query(...given);
    if (!seen.watch || typeof answer?.then !== "function") return answer;
    if (name.startsWith("get_job")) {
      return answer.then((result) => {
        if (seen.warm) seen.claims.push(Number(process.hrtime.bigint() - begun) / 1e3);
        return result;
      });
    }
    if (name.startsWith("complete_job")) {
      return answer.then((result) => {
        seen.completed += result.rowCount;
        seen.watch?.();
        return result;
      });
    }
    return answer;
  }
}

const options = JSON.parse(process.argv[2]);
const pool = new pg.Pool({ connectionString: options.url, max: options.connections, Client: Watched });
// Connections that are cut as the server stops.
pool.on("error", () => {});
pool.on("connect", (client) => client.on("error", () => {}));
const logger = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});
const utils = await makeWorkerUtils({ pgPool: pool, logger });
await utils.migrate();
let next = 0;

const count = async () => {
  const { rows } = await pool.query("SELECT count(*)::int AS n FROM graphile_worker._private_jobs");
  return rows[0].n;
};

/** Jobs as a caller hands them over: the same payload for each but for the document's name. */
const jobs = (n) =>
  Array.from({ length: n }, () => {
    const id = String(next++).padStart(9, "0");
    return { identifier: TASK, payload: { document: `manual/${id.slice(0, 6)}/${id}.md` } };
  });

/** Brings the queue to its depth. */
async function fill({ depth }) {
  for (let missing = depth - (await count()); missing > 0; missing -= FILL_BATCH) {
    await utils.addJobs(jobs(Math.min(missing, FILL_BATCH)));
  }
  return { depth: await count() };
}

/** Stages `jobs` in batches, by several callers at once, for `seconds` at the most. */
async function stage({ jobs: total, batch, callers, seconds }) {
  let staged = 0;
  let taken = 0;
  const begun = performance.now();
  const caller = async () => {
    while (taken < total && performance.now() - begun < seconds * 1e3) {
      taken += batch;
      const added = await utils.addJobs(jobs(batch));
      staged += added.length;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { all: staged, jobs: staged, seconds: (performance.now() - begun) / 1e3 };
}

/** Works off `jobs` and stops. A tenth of them goes by before the clock starts: pool and plans are warm then. */
async function work({ jobs: total, batch, concurrency }) {
  const warm = total / 10;
  let from = null;
  const done = new Promise((resolve) => {
    seen.claims = [];
    seen.completed = 0;
    seen.warm = false;
    seen.watch = () => {
      if (!seen.warm && seen.completed >= warm) {
        from = { at: performance.now(), completed: seen.completed };
        seen.warm = true;
      }
      if (seen.completed >= total) resolve();
    };
  });
  const runner = await run({
    pgPool: pool,
    logger,
    noHandleSignals: true,
    taskList: { [TASK]: () => {} },
    preset: {
      worker: {
        concurrentJobs: concurrency,
        localQueue: { size: batch },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
  await done;
  const measured = { all: seen.completed, jobs: seen.completed - from.completed, seconds: (performance.now() - from.at) / 1e3 };
  const claims = seen.claims.slice();
  seen.watch = null;
  await runner.stop();
  return { ...measured, claims_us: claims };
}

const orders = { fill, stage, work };
process.stdout.write(`${JSON.stringify({ node: process.version, version })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  const answer = await orders[order.order](order);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await utils.release();
await pool.end();
