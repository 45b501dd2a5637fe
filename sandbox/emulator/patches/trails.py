"""Trails of CloudTrail.

AWS behavior restored:

- CreateTrail keeps the tags that it is given, so that ListTags tells them. MiniStack keeps those of AddTags only.
  [docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html]
- A name has 3 to 128 letters, digits and ``._-``, begins and ends with a letter or digit, and has no two of the signs in a row;
  another one is ``InvalidTrailNameException``.
  [docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html]
- The value of a tag has at least one character. [botocore cloudtrail TagValue]
"""

import re

from ministack.services import cloudtrail

_NAME = re.compile(r"(?=.{3,128}$)[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")


def install():
    # The table of actions holds the functions themselves.
    original = cloudtrail._DISPATCH["CreateTrail"]

    def create_trail(body):
        if not _NAME.fullmatch(body.get("Name", "")):
            return cloudtrail._err("InvalidTrailNameException", "Trail name must begin and end with a letter or number, "
                                   "and have no adjacent periods, underscores, or dashes.")
        if any(not tag.get("Value") for tag in body.get("TagsList") or []):
            return cloudtrail._err("InvalidTagParameterException", "The value of a tag must not be empty.")
        answer = original(body)
        arn = cloudtrail._trail_arn(body.get("Name", "").strip())
        if body.get("TagsList") and cloudtrail._find_visible_trail(arn)[2] is not None:
            cloudtrail._add_tags({"ResourceId": arn, "TagsList": body["TagsList"]})
        return answer

    cloudtrail._DISPATCH["CreateTrail"] = create_trail
