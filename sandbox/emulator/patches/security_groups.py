"""Security groups of EC2.

AWS behavior restored: what is said of a group or of one of its rules is at most 255 letters, digits, blanks and
``._-:/()#,@[]+=&;{}!$*``, and anything else is ``InvalidParameterValue``. [botocore ec2 CreateSecurityGroup, IpRange]
"""

import re

from ministack.services import ec2

_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_ACTIONS = ("CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")


def _refusing(original):
    def action(params):
        for name in params:
            description = ec2._p(params, name) if name.endswith("Description") else ""
            if not _DESCRIPTION.fullmatch(description or ""):
                return ec2._error("InvalidParameterValue", f"Invalid value for {name}: it may have letters, digits, "
                                  "blanks and ._-:/()#,@[]+=&;{}!$* only.", 400)
        return original(params)

    return action


def install():
    # The table of actions holds the functions themselves.
    for name in _ACTIONS:
        ec2._ACTION_MAP[name] = _refusing(ec2._ACTION_MAP[name])
