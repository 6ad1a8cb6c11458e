"""One vendor, one folder, one spelling: on a shelf made up here, and on ours."""

from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.catalogue.vendors import disorder


def test_a_vendor_in_one_folder_is_in_order():
    assert disorder({"acme/m1": "Acme", "acme/m2": "Acme", "bolt/x": "Bolt"}) == {}


def test_two_spellings_in_a_folder_are_told():
    assert disorder({"acme/m1": "Acme", "acme/m2": "Acme Ltd"}) == {
        "acme/m2": 'acme/m2: vendor "Acme Ltd" is "Acme" in acme/m1; write it alike in one folder, '
        "or give another vendor a folder of its own"
    }


def test_two_folders_of_one_vendor_are_told_whatever_stands_between_the_letters():
    assert disorder({"acme-bolt/m1": "Acme & Bolt", "acmebolt/m2": "Acme+Bolt"}) == {
        "acmebolt/m2": 'acmebolt/m2: "Acme+Bolt" has the folder acme-bolt/ already; '
        "put the profile there"
    }


def test_our_shelf_is_in_order():
    ours = Shelf([OURS])
    assert disorder({name: ours.profile(name).file.vendor for name in ours.names()}) == {}
