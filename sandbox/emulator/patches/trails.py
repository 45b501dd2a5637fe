"""Trails of CloudTrail.

AWS behavior restored: CreateTrail keeps the tags that it is given, so that ListTags tells them. MiniStack keeps those of AddTags only.
[docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html]
"""

from ministack.services import cloudtrail


def install():
    # The table of actions holds the functions themselves.
    original = cloudtrail._DISPATCH["CreateTrail"]

    def create_trail(body):
        answer = original(body)
        arn = cloudtrail._trail_arn(body.get("Name", "").strip())
        if body.get("TagsList") and cloudtrail._find_visible_trail(arn)[2] is not None:
            cloudtrail._add_tags({"ResourceId": arn, "TagsList": body["TagsList"]})
        return answer

    cloudtrail._DISPATCH["CreateTrail"] = create_trail
