// Requests to the service: an image in, its faces or a Problem out.

const KEY = 'emotions-key';
const AT_ONCE = 4; // requests under way; the service batches them

// The titles of problems on this page; the service's own titles are those of HTTP.
const TITLES = {
  corrupt_image: 'Broken image', min_face_too_small: 'Faces too small', unsupported_media: 'Not an image', too_large: 'Too large',
  unauthorized: 'Key needed', overloaded: 'Busy', shutting_down: 'Stopping',
  deadline_exceeded: 'Took too long',
};

export class Problem extends Error {
  constructor(status, title, detail, retryAfter = 0) {
    super(detail);
    Object.assign(this, {status, title, retryAfter});
  }
}

export function setKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** Send one image; return {model, image} of the answer. Throws a Problem. */
export async function analyze(blob, name, {labels, minScore}) {
  const form = new FormData();
  form.append('images', blob, name);
  const query = new URLSearchParams({min_score: minScore});
  if (labels) query.set('labels', labels);
  const response = await request(`v1/emotions?${query}`, {method: 'POST', body: form});
  try {
    const {model, images: [image]} = await response.json();
    return {model, image};
  } catch { // the answer was cut off, or it is a page of a proxy
    throw new Problem(0, 'Incomplete answer',
      'The answer is incomplete, or it does not come from the service.');
  }
}

export async function readiness() {
  try {
    return await (await fetch('readyz')).json();
  } catch {
    return null;
  }
}

/** Let at most a few calls of `work` run at once; the others wait in order. */
export function inTurn(work) {
  const waiting = [];
  let running = 0;
  const next = () => {
    if (running >= AT_ONCE || !waiting.length) return;
    const {args, resolve} = waiting.shift();
    running += 1;
    resolve(work(...args).finally(() => { running -= 1; next(); }));
  };
  return (...args) => new Promise((resolve) => { waiting.push({args, resolve}); next(); });
}

async function request(url, options) {
  const key = sessionStorage.getItem(KEY);
  const headers = key ? {'X-API-Key': key} : {};
  let response;
  try {
    response = await fetch(url, {...options, headers});
  } catch {
    throw new Problem(0, 'No answer',
      'The service cannot be reached, or it closed the connection. Is it running? Is the file very large?');
  }
  if (!response.ok) throw await problem(response);
  return response;
}

async function problem(response) {
  const retryAfter = Number(response.headers.get('Retry-After')) || 0;
  try {
    const {code, title, detail} = await response.json();
    return new Problem(response.status, TITLES[code] ?? title, detail, retryAfter);
  } catch { // not the service's answer, but a proxy's
    return new Problem(response.status, `Error ${response.status}`, response.statusText, retryAfter);
  }
}
