"""A Cinder driver whose volumes are sparse files: no LVM, nothing mounted."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from cinder import interface
from cinder.image import image_utils
from cinder.volume import configuration, driver
from oslo_config import cfg
from oslo_utils import units

OPTIONS = [cfg.StrOpt("lab_volumes", default="$state_path/volumes", help="The folder of the volumes' files.")]
cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class FileVolumes(driver.VolumeDriver):
    """A volume is a file; who attaches it gets its path."""

    VERSION = "1.0"
    CI_WIKI_NAME = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Cinder's
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)
        self._folder = Path(self.configuration.lab_volumes)

    def do_setup(self, context: Any) -> None:  # noqa: ANN401, ARG002 - Cinder's, here and below
        """The folder of the files."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def check_for_setup_error(self) -> None:
        """Nothing that could be wrong."""

    def _update_volume_stats(self) -> None:
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "lab",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "total_capacity_gb": 1000,
            "free_capacity_gb": 1000,
            "reserved_percentage": 0,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "max_over_subscription_ratio": "20.0",
            "multiattach": True,
        }

    def create_volume(self, volume: Any) -> None:  # noqa: ANN401
        """A sparse file of its size."""
        with self._path(volume).open("wb") as file:
            file.truncate(volume.size * units.Gi)

    def delete_volume(self, volume: Any) -> None:  # noqa: ANN401
        """The file goes."""
        self._path(volume).unlink(missing_ok=True)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:  # noqa: ANN401
        """A copy, grown to its own size."""
        self._copy(self._path(src_vref), volume)

    def create_snapshot(self, snapshot: Any) -> None:  # noqa: ANN401
        """A copy as it is now."""
        shutil.copyfile(self._path(snapshot.volume), self._snapshot(snapshot))

    def delete_snapshot(self, snapshot: Any) -> None:  # noqa: ANN401
        """The copy goes."""
        self._snapshot(snapshot).unlink(missing_ok=True)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:  # noqa: ANN401
        """A copy of the snapshot, grown to its own size."""
        self._copy(self._snapshot(snapshot), volume)

    def extend_volume(self, volume: Any, new_size: int) -> None:  # noqa: ANN401
        """More zeros at the end."""
        with self._path(volume).open("r+b") as file:
            file.truncate(new_size * units.Gi)

    def copy_image_to_volume(
        self,
        context: Any,  # noqa: ANN401
        volume: Any,  # noqa: ANN401
        image_service: Any,  # noqa: ANN401
        image_id: str,
        disable_sparse: bool = False,
    ) -> None:
        """Fetch the image, keep its hash beside the volume, and give the file its size."""
        path = self._path(volume)
        image_utils.fetch_to_raw(
            context,
            image_service,
            image_id,
            str(path),
            self.configuration.volume_dd_blocksize,
            size=volume.size,
            run_as_root=False,
            disable_sparse=disable_sparse,
        )
        with path.open("r+b") as file:
            digest = hashlib.file_digest(file, "sha512").hexdigest()
            file.truncate(volume.size * units.Gi)
        path.with_suffix(".sha512").write_text(digest)

    def copy_volume_to_image(
        self,
        context: Any,  # noqa: ANN401
        volume: Any,  # noqa: ANN401
        image_service: Any,  # noqa: ANN401
        image_meta: dict[str, Any],
    ) -> None:
        """Upload the file."""
        path = str(self._path(volume))
        image_utils.upload_volume(context, image_service, image_meta, path, run_as_root=False)

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002
        """Where the file is."""
        return {"driver_volume_type": "local", "data": {"device_path": str(self._path(volume))}}

    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Nothing was connected."""

    def ensure_export(self, context: Any, volume: Any) -> None:  # noqa: ANN401
        """Nothing is exported."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:  # noqa: ANN401
        """Nothing is exported."""

    def remove_export(self, context: Any, volume: Any) -> None:  # noqa: ANN401
        """Nothing was exported."""

    def _path(self, volume: Any) -> Path:  # noqa: ANN401
        return self._folder / f"{volume.name}.raw"

    def _snapshot(self, snapshot: Any) -> Path:  # noqa: ANN401
        return self._folder / f"{snapshot.name}.raw"

    def _copy(self, source: Path, volume: Any) -> None:  # noqa: ANN401
        shutil.copyfile(source, self._path(volume))
        self.extend_volume(volume, volume.size)
