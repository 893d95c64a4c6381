// The camera: its picture with live boxes; one frame at a time is sent to the service.

import {Problem} from './api.js';
import {boxes, cards, summary} from './faces.js';

const LONGEST = 960; // pixels of a frame's longer side: faces near a camera are large
const PAUSE_MS = 60;

export class Camera {
  /** `keyed()` asks the person for the service's key and waits until there is one. */
  constructor(root, analyze, keep, keyed) {
    // `turn` identifies one opening of the camera; it is null while the camera is closed.
    Object.assign(this, {root, analyze, keep, keyed, turn: null, stream: null});
    this.video = root.querySelector('video');
    this.frame = root.querySelector('.picture');
    this.faces = root.querySelector('.faces');
    this.message = root.querySelector('.message');
    root.querySelector('#camera-close').addEventListener('click', () => this.close());
    root.querySelector('#camera-keep').addEventListener('click', () => this.keepFrame());
  }

  async open() {
    if (this.turn) return;
    const turn = Symbol('turn');
    this.turn = turn;
    this.root.hidden = false;
    this.report('Waiting for the camera …');
    try {
      await this.start(turn);
    } catch (error) {
      if (this.turn !== turn) return;
      this.release();
      this.report(reason(error), true);
      return;
    }
    this.analyzeFrames(turn);
  }

  async start(turn) {
    const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'user'}});
    if (this.turn !== turn) { // closed before the person allowed the camera
      stop(stream);
      return;
    }
    this.stream = stream;
    const {facingMode} = stream.getVideoTracks()[0].getSettings();
    this.mirrored = facingMode !== 'environment'; // people know their face from mirrors
    this.video.classList.toggle('mirrored', this.mirrored);
    this.video.srcObject = stream;
    await this.video.play();
  }

  release() {
    if (this.stream) stop(this.stream);
    Object.assign(this, {turn: null, stream: null});
  }

  close() {
    this.release();
    this.root.hidden = true;
    this.draw({width: 1, height: 1, faces: []});
    document.querySelector('#camera-open').focus();
  }

  async analyzeFrames(turn) {
    while (this.turn === turn) {
      try {
        await this.analyzeFrame(turn);
        await pause(PAUSE_MS);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (this.turn === turn) await this.wait(error);
      }
    }
  }

  async analyzeFrame(turn) {
    const frame = await this.grab(LONGEST);
    if (this.turn !== turn) return; // a stopped camera sends no frames
    const {image} = await this.analyze(frame, 'camera.jpg');
    if (this.turn !== turn) return;
    this.draw(image);
    this.report(summary(image));
  }

  async wait(problem) {
    if (problem.status === 401) {
      this.report('Waiting for the key …');
      await this.keyed();
    } else {
      this.report(problem.message, true);
      await pause(Math.max(1, problem.retryAfter) * 1000);
    }
  }

  draw(image) {
    this.frame.querySelector('.boxes')?.remove();
    // Inert: the next frame's boxes replace these, and a focused box would lose the focus.
    this.frame.append(boxes(image, {mirrored: this.mirrored, inert: true}));
    this.faces.replaceChildren(...cards(image, this.grabbed ?? this.video));
  }

  async keepFrame() {
    if (!this.stream) return;
    const time = new Date().toTimeString().slice(0, 8);
    this.keep(await this.grab(Infinity), `camera ${time}.jpg`);
  }

  grab(longest) {
    const {videoWidth: width, videoHeight: height} = this.video;
    const scale = Math.min(1, longest / Math.max(width, height));
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext('2d').drawImage(this.video, 0, 0, canvas.width, canvas.height);
    this.grabbed = canvas;
    return new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.9); });
  }

  report(text, failed = false) {
    this.message.textContent = text;
    this.message.classList.toggle('error', failed);
  }
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

function pause(ms) {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}

function reason(error) {
  switch (error.name) {
    case 'NotAllowedError': return 'The browser was not allowed to use the camera.';
    case 'NotFoundError': return 'There is no camera here.';
    case 'NotReadableError': return 'Another program uses the camera.';
    case 'TypeError': return 'Browsers give the camera only to pages over https or from localhost.';
    default: return `The camera does not work: ${error.message}`;
  }
}
