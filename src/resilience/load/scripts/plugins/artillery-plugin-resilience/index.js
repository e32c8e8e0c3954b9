// Tells of every HTTP request, when it begins and when it has ended, by lines of JSON to a pipe whose number is in
// RESILIENCE_SAMPLES. The script of the user is not changed. See load/scripts/artillery.py for the lines.
'use strict';

const fs = require('fs');

module.exports = { Plugin };

const CHECKED_MS = 2000; // a check that has not been made by then is not waited for

const handle = Number(process.env.RESILIENCE_SAMPLES);

function tell(line) {
  // Lines are shorter than PIPE_BUF, so those of several workers do not mix. The pipe is never full for long.
  const bytes = Buffer.from(JSON.stringify(line) + '\n');
  for (;;) {
    try {
      fs.writeSync(handle, bytes);
      return;
    } catch (error) {
      if (error.code !== 'EAGAIN') {
        throw error; // nobody listens: without samples the load is worth nothing
      }
    }
  }
}

function now() {
  return process.hrtime.bigint().toString(); // CLOCK_MONOTONIC
}

function short(text, most) {
  return String(text === undefined || text === null ? '' : text).slice(0, most);
}

function Plugin(script, events) {
  if (process.env.LOCAL_WORKER_ID === undefined) {
    skipped(events); // the main thread, which sees what the workers counted
    return;
  }
  const open = new Map(); // id of a request → what is known of it
  const heard = new WeakSet();
  const expects = Boolean(((script.config || {}).plugins || {}).expect);

  script.config.processor = Object.assign({}, script.config.processor);
  script.config.processor.resilienceBeforeRequest = function (request, context, emitter, done) {
    listen(emitter);
    // What must have been looked at before it is known whether the answer was a good one.
    const awaited = new Set();
    if (request.capture || request.match) {
      awaited.add('capture');
    }
    if (expects) {
      awaited.add('expect');
    }
    open.set(request.uuid, { awaited, request, problem: '', good: false });
    return done();
  };
  script.config.processor.resilienceOnError = function (error, request, context, emitter, done) {
    const one = request && open.get(request.uuid);
    if (one !== undefined) {
      failed(request.uuid, one, error.code || error.name || 'error');
    }
    return done();
  };

  for (const scenario of script.scenarios || []) {
    const engine = scenario.engine || 'http';
    if (engine !== 'http') {
      tell({ w: `scenarios by the engine ${short(engine, 60)} are not seen` });
    }
    scenario.beforeRequest = [].concat(scenario.beforeRequest || [], 'resilienceBeforeRequest');
    scenario.onError = [].concat(scenario.onError || [], 'resilienceOnError');
  }

  // Every emitter that hooks are given is the one on which Artillery traces its requests.
  function listen(emitter) {
    if (heard.has(emitter)) {
      return;
    }
    heard.add(emitter);
    emitter.on('trace:http:request', (request, id) => {
      const one = open.get(id);
      if (one === undefined || one.begun) {
        return; // a further request of the same, after a redirect
      }
      one.begun = true;
      tell({
        b: short(id, 60),
        t: now(),
        m: short(request.method, 10),
        u: short(request.url, 500),
        n: short(request.name, 100),
      });
    });
    emitter.on('trace:http:response', (response, id) => {
      const one = open.get(id);
      if (one === undefined) {
        return;
      }
      const redirected = response.statusCode >= 300 && response.statusCode < 400 && response.headers.location;
      if (redirected && one.request.followRedirect !== false) {
        return;
      }
      response.once('end', () => answered(id, one, response.statusCode));
      response.once('aborted', () => failed(id, one, 'aborted'));
    });
    emitter.on('trace:http:capture', (result, id) => looked(id, 'capture', wrong(result)));
    emitter.on('plugin:expect:expectations', (told, request) => {
      const results = (told && told.results) || [];
      const failed = results.find((one) => !one.ok);
      const one = request && open.get(request.uuid);
      if (one !== undefined) {
        one.good = results.some((each) => each.ok && each.type === 'statusCode');
        looked(request.uuid, 'expect', failed ? `expectation failed: ${short(failed.type, 40)}` : '');
      }
    });
  }

  hold();
  tell({ v: 1 });
  setInterval(() => tell({ h: Number(process.env.LOCAL_WORKER_ID), t: now() }), 1000).unref();

  function looked(id, what, problem) {
    const one = open.get(id);
    if (one === undefined) {
      return;
    }
    one.awaited.delete(what);
    one.problem = one.problem || problem;
    if (one.ended !== undefined && one.awaited.size === 0) {
      close(id, one);
    }
  }

  function answered(id, one, status) {
    if (!open.has(id) || one.ended !== undefined) {
      return;
    }
    one.ended = now();
    one.status = status;
    if (one.awaited.size === 0) {
      close(id, one);
      return;
    }
    setTimeout(() => {
      if (open.has(id)) {
        one.problem = one.problem || 'what was to be checked was not looked at';
        close(id, one);
      }
    }, CHECKED_MS).unref();
  }

  function close(id, one) {
    open.delete(id);
    begun(id, one);
    const line = { e: short(id, 60), t: one.ended, s: one.status };
    if (one.problem) {
      line.x = one.problem;
    } else if (one.good) {
      line.g = 1;
    }
    tell(line);
  }

  function failed(id, one, code) {
    if (!open.delete(id)) {
      return;
    }
    begun(id, one);
    tell({ f: short(id, 60), t: now(), c: short(code, 60), s: one.status === undefined ? 0 : 1 });
  }

  // A request that failed before Artillery traced its beginning began now, as far as anybody knows.
  function begun(id, one) {
    if (!one.begun) {
      one.begun = true;
      tell({ b: short(id, 60), t: now(), m: short(one.request.method, 10), u: short(one.request.url, 500), n: '' });
    }
  }
}

// A worker is ready, and its load begins, not before the run's zero.
function hold() {
  const left = Number((BigInt(process.env.RESILIENCE_ZERO || '0') - process.hrtime.bigint()) / 1000000n);
  if (left > 0) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, left);
  }
}

function wrong(result) {
  if (!result) {
    return '';
  }
  const matches = Object.values(result.matches || {});
  if (matches.some((one) => !one.success && one.strict !== false)) {
    return 'a match failed';
  }
  return Object.values(result.captures || {}).some((one) => one.failed) ? 'a capture failed' : '';
}

// Virtual users that were due while there were maxVusers: counted by period.
function skipped(events) {
  let since = now();
  events.on('stats', (stats) => {
    const until = now();
    const count = ((stats && stats.counters) || {})['vusers.skipped'] || 0;
    if (count > 0) {
      tell({ k: count, t: until, p: since });
    }
    since = until;
  });
}
