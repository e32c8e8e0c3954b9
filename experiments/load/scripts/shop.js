// A script as somebody has it for k6: it knows nothing of faults, phases or verdicts.
//
//   k6 run -e BASE_URL=http://127.0.0.1:8000 experiments/load/scripts/shop.js
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  scenarios: {
    browse: {
      executor: 'constant-arrival-rate',
      rate: 100,
      timeUnit: '1s',
      duration: '10m',
      preAllocatedVUs: 40,
      maxVUs: 200,
    },
  },
  thresholds: { http_req_failed: ['rate<0.05'] },
};

export default function () {
  const item = Math.floor(Math.random() * 1000);
  const response = http.get(`${__ENV.BASE_URL}/items/${item}`, { tags: { name: 'read item' }, timeout: '2s' });
  check(response, { 'it is the item': (answer) => answer.status === 200 && answer.json('id') === item });
  if (Math.random() < 0.1) {
    const id = `k6-${__VU}-${__ITER}-${Date.now()}`;
    http.post(`${__ENV.BASE_URL}/orders`, JSON.stringify({ id, item, body: 'two of them' }), {
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': id },
      tags: { name: 'place order' },
      timeout: '2s',
    });
  }
}
