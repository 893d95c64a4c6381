// The camera: its picture with live boxes, one frame at the service at a time.

import {Problem} from './api.js';
import {boxes, cards, summary} from './faces.js';

const LONGEST = 960; // pixels of a frame's longer side: faces near a camera are large
const PAUSE_MS = 60;

export class Camera {
  constructor(root, analyze, keep) {
    Object.assign(this, {root, analyze, keep, stream: null});
    this.video = root.querySelector('video');
    this.frame = root.querySelector('.picture');
    this.faces = root.querySelector('.faces');
    this.message = root.querySelector('.message');
    root.querySelector('#camera-close').addEventListener('click', () => this.close());
    root.querySelector('#camera-keep').addEventListener('click', () => this.keepFrame());
  }

  async open() {
    if (this.stream) return;
    this.root.hidden = false;
    this.say('Waiting for the camera …');
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'user'}});
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.say(reason(error), true);
      return;
    }
    const {facingMode} = this.stream.getVideoTracks()[0].getSettings();
    this.mirrored = facingMode !== 'environment'; // people know their face from mirrors
    this.video.classList.toggle('mirrored', this.mirrored);
    this.look(this.stream);
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.root.hidden = true;
    this.draw({width: 1, height: 1, faces: []});
    document.querySelector('#camera-open').focus();
  }

  async look(stream) {
    while (this.stream === stream) {
      try {
        const {image} = await this.analyze(await this.grab(LONGEST), 'camera.jpg');
        if (this.stream !== stream) return;
        this.draw(image);
        this.say(summary(image));
        await pause(PAUSE_MS);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        this.say(error.message, true);
        await pause(Math.max(1, error.retryAfter) * 1000);
      }
    }
  }

  draw(image) {
    this.frame.querySelector('.boxes')?.remove();
    this.frame.append(boxes(image, this.mirrored));
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

  say(text, failed = false) {
    this.message.textContent = text;
    this.message.classList.toggle('error', failed);
  }
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
