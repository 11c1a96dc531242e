"""A file over HTTP, continued where the transfer broke off: a downloader for pooch, whose own begins again.

What has arrived stands in a partial file beside the target, on which the next attempt goes on with a Range request.
"""

import os
import time
from pathlib import Path

from tqdm import tqdm

from hepflows.errors import DataError

ATTEMPTS = 5  # in a row that bring nothing
PAUSE_SECONDS = 1.0  # before the second attempt; twice as long before each further one
TIMEOUT_SECONDS = 30
PIECE_BYTES = 1 << 14  # what is lost of a connection that breaks
# The server wants to be asked again later; any other refusal will not change.
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class ContinuedDownload:
    """pooch downloader that keeps what has arrived in the file `partial`; raises DataError if the transfer fails.

    `headers` go with each request.
    """

    def __init__(self, partial, headers=None, progress=True):
        self.partial = Path(partial)
        self.headers = headers or {}
        self.progress = progress

    def __call__(self, url, output_file, pooch):
        import requests

        attempts = 0
        while True:
            before = self._arrived()
            try:
                self._continue(url)
                break
            except requests.RequestException as error:
                answer = getattr(error, "response", None)
                if answer is not None and answer.status_code not in TRANSIENT:
                    raise DataError(f"expected the file at {url}, the server answers {answer.status_code}") from None
                attempts = 1 if self._arrived() > before else attempts + 1
                if attempts >= ATTEMPTS:
                    raise DataError(
                        f"expected the file at {url}, the transfer broke off after {self._arrived():,} bytes "
                        f"({type(error).__name__}); the same command continues it"
                    ) from None
                time.sleep(PAUSE_SECONDS * 2 ** (attempts - 1))
        os.replace(self.partial, output_file)

    def _arrived(self):
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _continue(self, url):
        """Fetch what is missing; requests.RequestException if the connection breaks."""
        import requests

        start = self._arrived()
        # identity: ranges count the bytes of the file, not those of a compressed transfer
        headers = self.headers | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            if response.status_code == 416:  # nothing after `start`: the file is complete, which the checksum will tell
                return
            response.raise_for_status()
            if response.status_code != 206:  # a server without ranges sends the whole file
                start = 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else None
            with (
                open(self.partial, "r+b" if start else "wb") as file,
                tqdm(
                    total=total,
                    initial=start,
                    unit="B",
                    unit_scale=True,
                    desc=self.partial.stem,
                    disable=None if self.progress else True,
                ) as bar,
            ):
                file.seek(start)
                for piece in response.iter_content(PIECE_BYTES):
                    file.write(piece)
                    bar.update(len(piece))
        if total is not None and self._arrived() < total:
            raise requests.ConnectionError(f"{self._arrived():,} of {total:,} bytes arrived")
