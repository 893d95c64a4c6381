// The page: connects its controls with the modules.

import {analyze, inTurn, readiness, setKey} from './api.js';
import {Camera} from './camera.js';
import {Result} from './result.js';

const find = (selector) => document.querySelector(selector);
const queue = inTurn(analyze);
const locked = []; // functions to call once there is a key

const options = () => ({labels: find('#labels').value, minScore: find('#min-score').value});
const send = (blob, name) => queue(blob, name, options());
const keep = (blob, name) => add([new File([blob], name)]);
const camera = new Camera(find('#camera'), send, keep, () => new Promise(lock));

function add(files) {
  const results = [...files].map((file) => new Result(file, file.name, send, (text, error, model) => {
    find('#status').textContent = text;
    if (model) find('#models').textContent = `${model.detector} + ${model.emotion} on ${model.backend}`;
    if (error?.status === 401) lock(() => results.find((result) => result.blob === file).run());
  }));
  find('#results').prepend(...results.map((result) => result.root));
  for (const result of results) result.run();
}

function lock(goOn) {
  locked.push(goOn);
  if (!find('#key').hidden) return;
  find('#key').hidden = false;
  find('#key-value').focus();
}

find('#key').addEventListener('submit', (event) => {
  event.preventDefault();
  setKey(find('#key-value').value);
  find('#key').hidden = true;
  for (const goOn of locked.splice(0)) goOn();
});

find('#files').addEventListener('change', ({target}) => {
  add(target.files);
  target.value = ''; // so that the same file can be chosen again
});
find('#camera-open').addEventListener('click', () => camera.open());
find('#min-score').addEventListener('input', ({target}) => {
  find('output[for=min-score]').textContent = `${Math.round(target.value * 100)} %`;
});

document.addEventListener('dragover', (event) => {
  event.preventDefault();
  find('#drop').classList.add('over');
});
for (const name of ['dragleave', 'drop']) {
  document.addEventListener(name, () => find('#drop').classList.remove('over'));
}
document.addEventListener('drop', (event) => {
  event.preventDefault();
  add(event.dataTransfer.files);
});
document.addEventListener('paste', ({clipboardData}) => add(clipboardData.files));

async function watch() {
  const state = await readiness();
  const pill = find('#readiness');
  pill.classList.toggle('ready', state?.ready === true);
  pill.textContent = state?.ready ? `ready · ${state.engine}` : state ? 'starting' : 'not reachable';
  setTimeout(watch, state?.ready ? 30000 : 2000);
}
watch();
