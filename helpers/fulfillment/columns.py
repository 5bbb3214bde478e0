"""The columns of a sample: the target, the twelve features, and the context that is for people and splits."""

DURATION = "duration"

FEATURES = (
    "fc_avg",
    "item_length",
    "item_width",
    "item_height",
    "item_quantity",
    "item_weight",
    "bin_location",
    "bin_width",
    "bin_height",
    "bin_depth",
    "bin_fullness",
    "bin_clutter",
)
COLUMNS = (DURATION, *FEATURES)

CONTEXT_COLUMNS = ("event_id", "time", "fc", "region", "station", "sku", "pod", "visit", "associate")

UNITS = {
    "duration": "ms",
    "fc_avg": "ms",
    "item_length": "mm",
    "item_width": "mm",
    "item_height": "mm",
    "item_quantity": "units",
    "item_weight": "g",
    "bin_location": "mm",
    "bin_width": "mm",
    "bin_height": "mm",
    "bin_depth": "mm",
    "bin_fullness": "%",
    "bin_clutter": "%",
}

MEANINGS = {
    "duration": "how long the interaction took, from the lit bin to the confirmation",
    "fc_avg": "average duration at this fulfillment centre",
    "item_length": "longest side of the item",
    "item_width": "second side of the item",
    "item_height": "shortest side of the item",
    "item_quantity": "units to handle",
    "item_weight": "weight of one unit",
    "bin_location": "height of the bin's centre above the ground",
    "bin_width": "width of the bin's opening",
    "bin_height": "height of the bin's opening",
    "bin_depth": "depth of the bin",
    "bin_fullness": "how much of the bin is filled",
    "bin_clutter": "how mixed and tangled the bin's contents are",
    "event_id": "number of the interaction, unique in its stream",
    "time": "when the interaction began (UTC)",
    "fc": "fulfillment centre",
    "region": "AWS Region that serves this fulfillment centre",
    "station": "number of the station within the fulfillment centre",
    "sku": "pseudonymous number of the item",
    "pod": "pseudonymous number of the pod",
    "visit": "number of the pod's visit to the station; its interactions share hidden causes",
    "associate": "pseudonymous number of the person",
}

MAY_BE_MISSING = ("item_length", "item_width", "item_height", "item_weight", "bin_fullness")

FCS = ("FC-ASPEN", "FC-BIRCH", "FC-CEDAR", "FC-MAPLE", "FC-ROWAN")
REGIONS = {
    "FC-ASPEN": "us-east-1",
    "FC-BIRCH": "us-west-2",
    "FC-CEDAR": "eu-west-1",
    "FC-MAPLE": "eu-central-1",
    "FC-ROWAN": "ap-northeast-1",
}
