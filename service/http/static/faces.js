// Faces as elements: boxes over a picture, and a card with bars for each face.

const THUMBNAIL = 112;
const DOUBTFUL = 0.5; // below this quality, another view would more likely give another emotion

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function percent(score) {
  return score > 0 && score < 0.01 ? '<1 %' : `${Math.round(score * 100)} %`;
}

export function summary({faces}) {
  if (!faces.length) return 'no face found';
  const names = faces.map((face) => face.emotion);
  if (faces.length === 1) return `1 face, ${names[0]}`;
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]);
  return `${faces.length} faces: ${most.map(([name, count]) => `${count} ${name}`).join(', ')}`;
}

/** Boxes in percent of the picture, so that they follow it at whatever size it is shown.
 * Inert boxes cannot be focused or clicked; `link` connects the others to their cards. */
export function boxes({width, height, faces}, {mirrored = false, inert = false} = {}) {
  const made = faces.map((face, index) => {
    const [x1, y1, x2, y2] = face.box;
    const button = element('button', {type: 'button', className: `box ${doubt(face)}`},
      element('span', {className: 'tag'},
        element('b', {textContent: index + 1}), element('i', {textContent: ` ${face.emotion}`})));
    button.dataset.emotion = face.emotion;
    button.dataset.face = index;
    button.setAttribute('aria-label', `Face ${index + 1}: ${face.emotion}`);
    place(button, {
      left: (mirrored ? width - x2 : x1) / width,
      top: y1 / height,
      width: (x2 - x1) / width,
      height: (y2 - y1) / height,
    });
    return button;
  });
  return element('div', {className: 'boxes', inert}, ...made);
}

function place(button, fractions) {
  for (const [side, fraction] of Object.entries(fractions)) {
    button.style.setProperty(side, `${fraction * 100}%`);
  }
}

/** A list item for each face, with a thumbnail cut from `picture` (image, video or canvas). */
export function cards({faces}, picture) {
  const undecoded = picture.naturalWidth === 0; // an image that this browser cannot decode
  return faces.map((face, index) => {
    const card = element('li', {className: `face ${doubt(face)}`, tabIndex: -1},
      ...(undecoded ? [] : [thumbnail(face, picture)]),
      element('div', {className: 'read'},
        element('h3', {},
          element('span', {className: 'number', textContent: index + 1}),
          element('span', {className: 'emotion', textContent: face.emotion}),
          element('span', {className: 'sure', textContent: percent(face.scores[face.emotion])})),
        bars(face), element('p', {className: 'view', textContent: view(face)})));
    card.dataset.emotion = face.emotion;
    card.dataset.face = index;
    return card;
  });
}

function doubt({quality}) {
  return quality < DOUBTFUL ? 'doubtful' : '';
}

/** How well the face is seen: its quality, and how the head is turned. */
function view({quality, pose}) {
  const angles = Object.entries(pose).map(([name, angle]) => `${name} ${Math.round(angle)}°`);
  return `quality ${percent(quality)} · ${angles.join(', ')}`;
}

function bars({scores, emotion}) {
  const rows = Object.entries(scores).map(([label, score]) => {
    const bar = element('span', {className: 'bar'}, element('span'));
    bar.firstChild.style.setProperty('width', `${score * 100}%`);
    const row = element('div', {className: label === emotion ? 'row best' : 'row'},
      element('dt', {textContent: label}), element('dd', {}, bar,
        element('span', {className: 'value', textContent: percent(score)})));
    row.dataset.emotion = label;
    return row;
  });
  return element('dl', {className: 'bars'}, ...rows);
}

function thumbnail({box: [x1, y1, x2, y2]}, picture) {
  const canvas = element('canvas', {width: THUMBNAIL, height: THUMBNAIL, className: 'thumbnail'});
  canvas.setAttribute('aria-hidden', 'true');
  const side = Math.max(x2 - x1, y2 - y1) * 1.2;
  canvas.getContext('2d').drawImage(picture,
    (x1 + x2 - side) / 2, (y1 + y2 - side) / 2, side, side, 0, 0, THUMBNAIL, THUMBNAIL);
  return canvas;
}

/** Mark a face's box and card together, by mouse or keyboard; a click on the box leads to the card. */
export function link(root) {
  const mark = (event) => {
    const face = event.target.closest?.('[data-face]')?.dataset.face;
    for (const one of root.querySelectorAll('[data-face]')) {
      one.classList.toggle('marked', one.dataset.face === face);
    }
  };
  root.addEventListener('pointerover', mark);
  root.addEventListener('focusin', mark);
  root.addEventListener('click', (event) => {
    const box = event.target.closest('.box');
    if (box) root.querySelector(`.face[data-face="${box.dataset.face}"]`)?.focus();
  });
}
