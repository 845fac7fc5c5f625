"""Whether a call speaks of images that the cloud which serves it cannot fetch: then they have to be staged.

A cloud whose services ask their own Keystone also looks for images in its own Glance only. Where the scope
binds images to another cloud, ids in bodies and answers are those of that cloud (docs/staging.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.errors import NotSupported
from oidproxy.routing.boxes import box_of
from oidproxy.routing.carried import carried_token
from oidproxy.routing.completion import complete
from oidproxy.routing.decision import Forward, Route, Stage
from oidproxy.routing.plans import one_cloud
from oidproxy.routing.staging import BLOCK_STORAGE, COMPUTE, images_named, names_images

if TYPE_CHECKING:
    from oidproxy.routing.carriers import Carriers
    from oidproxy.routing.inbound import Inbound
    from oidproxy.tokens.presented import Presented

IMAGE = "image"


def stage(inbound: Inbound, way: Route, token: Presented | None, carriers: Carriers) -> Stage | None:
    """From where to where the images of this call go; None where they are where the call is served.

    Raises:
        ScopeError: the scope of images means nothing here.
        BadRequest, TokenRefused: a token that is carried for one of the clouds is none.
    """
    if way.service_type not in {COMPUTE, BLOCK_STORAGE} or token is None or box_of(token) is not None:
        return None
    source = _images(inbound, carriers)
    if source is None or source.cloud == way.cloud:
        return None
    there, here = (_service(inbound, way, cloud, token) for cloud in (source.cloud, way.cloud))
    return Stage(there, here) if there is not None and here is not None else None


def stage_of_several(
    inbound: Inbound, way: Route, token: Presented | None, carriers: Carriers, body: bytes | None
) -> Stage | None:
    """The same for several clouds: whose images they are, as if for the first of them.

    Raises as `stage`.
    """
    if way.service_type not in {COMPUTE, BLOCK_STORAGE} or token is None or box_of(token) is not None:
        return None
    source = _images(inbound, carriers)
    there = None if source is None else _service(inbound, way, source.cloud, token)
    here = _service(inbound, way, way.cloud, token)
    if there is None or here is None:
        return None
    named = body is not None and names_images(way.service_type, inbound.head.method, way.rest)
    return Stage(there, here, images_named(way.service_type, way.rest, body or b"") if named else ())


def _images(inbound: Inbound, carriers: Carriers) -> One | None:
    """The cloud that images are bound to; None where the scope means several: then a call for one says so."""
    bound = complete(carriers, IMAGE)
    if bound.expr is None:
        return One(carriers.home)
    try:
        return one_cloud(bound.expr, IMAGE, carriers.home, inbound.snapshot)
    except NotSupported:
        return None


def _service(inbound: Inbound, way: Route, cloud: str, token: Presented) -> Forward | None:
    """A call to the image service of a cloud; None where it has none."""
    endpoint = inbound.registry.endpoint(cloud, IMAGE)
    if endpoint is None:
        return None
    route = replace(
        way, service_type=IMAGE, endpoint=endpoint, target=endpoint.root.encode() + b"/", rest=b"/"
    )
    direct = inbound.registry.clouds[cloud].direct
    carried = carried_token(inbound.head, cloud, inbound.snapshot) if direct and token.home != cloud else None
    return Forward(route, token, None, direct=direct, carried=carried)
