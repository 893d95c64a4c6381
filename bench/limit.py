"""The most that this machine can do: the service's own work in a plain loop, with no HTTP.

A thread a core runs decode, letterbox, detector, crops and emotion on one image after the other,
with the same functions and plans as the service; nothing waits and nothing is shared.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from engines import cores
from service.alignment import fer_crop
from service.detection import letterbox, select
from service.image import ImageLimits, open_picture
from service.settings import Settings
from service.startup import Models


def images_a_second(settings: Settings, models: Models, body: bytes, seconds: float) -> float:
    """Rate over all cores for one JPEG, again and again."""
    stop = time.perf_counter() + seconds
    workers = settings.workers or cores.available()
    barrier = threading.Barrier(workers)
    with ThreadPoolExecutor(workers) as pool:
        work = [pool.submit(_worker, settings, models, body, barrier, stop) for _ in range(workers)]
        return sum(each.result() for each in work)


def _worker(
    settings: Settings, models: Models, body: bytes, barrier: threading.Barrier, stop: float
) -> float:
    limits = ImageLimits(settings.max_image_bytes, settings.max_pixels)
    engine = models.engine
    with (
        engine.open(models.detector.plan, models.detector.spec) as detector,
        engine.open(models.emotion.plan, models.emotion.spec) as emotion,
    ):
        barrier.wait()
        count, started = 0, time.perf_counter()
        while time.perf_counter() < stop:
            image = open_picture(body, limits, 640).pixels
            canvas, box = letterbox(image, (640, 640))
            row = {name: rows[0] for name, rows in detector.infer({"images": canvas[None]}).items()}
            faces = select(
                row,
                box,
                min_score=settings.min_score,
                nms_iou=settings.nms_iou,
                max_faces=settings.max_faces,
            )
            if len(faces.boxes):
                crops = np.stack([fer_crop(image, face) for face in faces.boxes])
                emotion.infer({"faces": crops})
            count += 1
        return count / (time.perf_counter() - started)
