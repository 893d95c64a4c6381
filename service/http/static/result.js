// One image's entry on the page: waiting, then its faces, or what went wrong.

import {Problem} from './api.js';
import {boxes, cards, element, link, summary} from './faces.js';

export class Result {
  /** `analyze(blob, name)` sends the image; `report(text, error, model)` gets the outcome. */
  constructor(blob, name, analyze, report) {
    Object.assign(this, {blob, name, analyze, report});
    this.url = URL.createObjectURL(blob);
    this.heading = element('h2', {textContent: name});
    this.outcome = element('p', {className: 'outcome', textContent: 'waiting …'});
    this.body = element('div', {className: 'body'});
    const close = element('button', {type: 'button', className: 'close', textContent: '×'});
    close.setAttribute('aria-label', `Remove ${name}`);
    close.addEventListener('click', () => this.remove());
    this.root = element('article', {className: 'result waiting'},
      element('div', {className: 'head'}, this.heading, this.outcome, close), this.body);
    link(this.root);
  }

  async run() {
    this.become('waiting', 'reading the faces …');
    try {
      const {model, image} = await this.analyze(this.blob, this.name);
      await this.show(image);
      this.report(`${this.name}: ${summary(image)}`, null, model);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.fail(error);
      this.report(`${this.name}: ${error.message}`, error, null);
    }
  }

  become(state, text) {
    this.root.className = `result ${state}`;
    this.outcome.textContent = text;
    this.body.replaceChildren();
  }

  async show(image) {
    this.become('done', summary(image));
    const picture = element('img', {src: this.url, alt: this.name});
    const frame = element('div', {className: 'picture'}, picture);
    this.body.append(frame, element('div', {className: 'side'}));
    await picture.decode().catch(() => {}); // the browser may not know this format
    const faces = image.faces.length ? cards(image, picture)
      : [element('li', {className: 'none', textContent: 'No face was found in this picture.'})];
    if (picture.naturalWidth) frame.append(boxes(image));
    else picture.replaceWith(element('p', {className: 'none', textContent: 'This browser cannot show the picture.'}));
    this.body.lastChild.append(element('ol', {className: 'faces'}, ...faces), json(image));
  }

  fail(problem) {
    this.become('failed', problem.title);
    this.body.append(element('p', {className: 'message', textContent: problem.message}));
    // Only these errors may pass; the others would occur again.
    if ([0, 429].includes(problem.status) || problem.status >= 500) this.offer(problem.retryAfter);
  }

  offer(seconds) {
    const again = element('button', {type: 'button', className: 'button'});
    again.addEventListener('click', () => this.run());
    this.body.append(again);
    countDown(again, seconds);
  }

  remove() {
    URL.revokeObjectURL(this.url);
    (this.root.nextElementSibling?.querySelector('.close') ?? document.querySelector('#files')).focus();
    this.root.remove();
  }
}

function countDown(again, seconds) {
  again.disabled = seconds > 0; // an earlier request would be rejected, too
  again.textContent = again.disabled ? `Try again in ${seconds} s` : 'Try again';
  if (again.disabled) setTimeout(() => countDown(again, seconds - 1), 1000);
}

function json(image) {
  const text = JSON.stringify(image, null, 1);
  const code = element('pre', {textContent: text, tabIndex: 0});
  const details = element('details', {}, element('summary', {textContent: 'JSON'}), code);
  const copy = element('button', {type: 'button', className: 'button small', textContent: 'Copy JSON'});
  copy.addEventListener('click', async () => {
    copy.textContent = await copied(text) ? 'Copied' : 'Select it below';
    if (copy.textContent !== 'Copied') details.open = true;
    setTimeout(() => { copy.textContent = 'Copy JSON'; }, 2000);
  });
  return element('div', {className: 'json'}, copy, details);
}

/** Copy a text; return whether it worked: browsers allow it only for https and localhost. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
