"""The 23 datasets of the paper's single-point suite, and the data of its other experiments: where each is to be had,
and how to bring it into a form we read.

Numbers and splits are the paper's (arXiv 2304.02643, table 7). Addresses and licences are what was known of each when
this was written, from general knowledge and not fetched by us (PIDRay's licence, EgoHOS's folders and the addresses of
DOORS and Plittersdorf are from their repositories and papers): the dataset's own page decides. None is downloaded for
you, since most ask for an account or for consent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anymask.errors import ConfigError

Form = Literal["annotations.json", "maps", "polygons", "polygons.json"]
"""How its labels lie beside `images` (see `dataset/labelled.py`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteDataset:
    """One dataset of the suite."""

    key: str
    """Name of its folder."""
    abbreviation: str
    """As the paper's tables and figures call it."""
    title: str
    image_type: str
    split: str
    """Which part of it the paper took."""
    pictures: int
    """Sampled by the paper."""
    masks: int
    """Sampled by the paper."""
    where: str
    """Its page, or how to find it."""
    licence: str
    """As known to us; read it there."""
    form: Form
    recipe: str
    """How to bring it into the form, for a person with a shell."""


def _maps(text: str) -> tuple[Form, str]:
    return "maps", f"{text} One PNG a picture under maps/, of the picture's name: 0 unlabelled, one number a mask."


def _coco(text: str) -> tuple[Form, str]:
    return "annotations.json", f"{text} Save it as annotations.json; its file names start from images/."


_SEE = "see its page"
_INSTANCES_TO_MAP = "Number the instance masks of each picture 1, 2, ... in one map."

_ROWS: tuple[tuple[str, str, str, str, int, int, str, str, tuple[Form, str]], ...] = (
    ("PPDLS", "Plant Phenotyping Datasets, leaf segmentation", "plants", "all", 182, 2347,
     "https://www.plant-phenotyping.org/datasets-home", "for research; see its page",
     _maps("Pictures are *_rgb.png, maps *_label.png: give both the same stem.")),
    ("BBBC038v1", "Broad Bioimage Benchmark Collection 038 v1, nuclei", "microscopy", "train", 227, 10506,
     "https://bbbc.broadinstitute.org/BBBC038", "CC0",
     _maps("stage1_train has a folder a picture with images/ and masks/ of one PNG a nucleus. " + _INSTANCES_TO_MAP)),
    ("DOORS", "Dataset fOr bOuldeRs Segmentation", "boulders", "DS1", 10000, 10000,
     "https://doi.org/10.5281/zenodo.7107409", _SEE, _maps("DS1 has one boulder a picture; its mask is the map.")),
    ("TimberSeg", "TimberSeg 1.0", "logs", "all", 220, 2487,
     "Mendeley Data, under its title", _SEE, _coco("Its annotations are a COCO file.")),
    ("NDD20", "Northumberland Dolphin Dataset 2020", "underwater", "all", 4402, 6100,
     "https://doi.org/10.25405/data.ncl.c.4982342", _SEE,
     ("polygons.json", "Above- and below-water labels are VIA files: merge both into polygons.json.")),
    ("LVIS", "Large Vocabulary Instance Segmentation", "scenes", "validation (v0.5)", 945, 9642,
     "https://www.lvisdataset.org", "annotations CC BY 4.0; COCO's pictures under their own Flickr licences",
     _coco("lvis_v0.5_val.json with COCO's pictures.")),
    ("STREETS", "STREETS", "traffic camera", "all", 819, 9854,
     "Illinois Data Bank, under its title", _SEE, _coco("Its vehicle masks, as a COCO file.")),
    ("ZeroWaste-f", "ZeroWaste-f", "recycling", "train", 2947, 6155,
     "http://ai.bu.edu/zerowaste/", "non-commercial; see its page", _coco("labels.json of the training split.")),
    ("iShape", "iShape", "irregular shapes", "validation", 754, 9742,
     "https://ishape.github.io", _SEE, _coco("Merge the COCO files of its sub-sets into one.")),
    ("ADE20K", "ADE20K", "scenes", "validation", 302, 10128,
     "https://groups.csail.mit.edu/vision/datasets/ADE20K/", "for research and education; an account is needed",
     _maps("*_seg.png holds instances in its blue channel, parts in *_parts_N.png. " + _INSTANCES_TO_MAP)),
    ("OVIS", "Occluded Video Instance Segmentation", "occlusions", "train", 2044, 10011,
     "https://songbai.site/ovis/", "CC BY-NC-SA 4.0", _coco("Write each frame of the YouTube-VIS file as a picture.")),
    ("Hypersim", "Hypersim", "simulation", "Evermotion archinteriors 1-55 excluding 20, 25, 40, 49", 338, 9445,
     "https://github.com/apple/ml-hypersim", "CC BY-SA 3.0",
     _maps("frame.*.semantic_instance.hdf5 holds the map; -1 is unlabelled.")),
    ("NDISPark", "Night and Day Instance Segmented Park", "parking lots", "train", 111, 2577,
     "Zenodo, under its title", _SEE, _coco("Its annotations are COCO files.")),
    ("VISOR", "EPIC-KITCHENS VISOR", "egocentric", "validation", 1864, 10141,
     "https://epic-kitchens.github.io/VISOR/", "CC BY-NC 4.0",
     _coco("Write its polygons, scaled to the pictures' size, as a COCO file.")),
    ("Plittersdorf", "Plittersdorf, of the SOCRATES stereo camera trap", "stereo images", "all", 187, 546,
     "https://doi.org/10.5281/zenodo.7035934 (labelled data)", _SEE,
     _coco("Its annotations are COCO files of three splits: merge them.")),
    ("EgoHOS", "Egocentric Hand-Object Segmentation", "egocentric",
     "train (only Ego4D and THU-READ)", 2940, 9961,
     "https://github.com/owenzlz/EgoHOS", "that of its sources; see its page",
     _maps("train/image holds the pictures, train/label the maps: 1 and 2 are hands, 3 to 8 what they hold.")),
    ("IBD", "InstanceBuilding 2D", "drones", "train (2D annotations)", 467, 11953,
     "the page of its paper (instance segmentation of urban buildings)", _SEE, _coco("Its 2D annotations.")),
    ("WoodScape", "WoodScape", "fisheye driving", "set 1", 107, 10266,
     "https://woodscape.valeo.com", "non-commercial; see its page", _maps("Its instance labels. " + _INSTANCES_TO_MAP)),
    ("Cityscapes", "Cityscapes", "driving", "validation", 293, 9973,
     "https://www.cityscapes-dataset.com", "for research; an account is needed",
     _maps("*_gtFine_instanceIds.png, 16 bit, is a map: name it as its *_leftImg8bit.png.")),
    ("PIDRay", "PIDRay", "X-ray", "test (hard)", 3733, 8892,
     "https://github.com/bywang2018/security-dataset", "academic use only, not commercial",
     _coco("xray_test_hard.json.")),
    ("DRAM", "Diverse Realism in Art Movements", "paintings", "test", 718, 1179,
     "https://faculty.runi.ac.il/arik/site/artseg/Dram-Dataset.html", _SEE, _maps("Its test labels are maps.")),
    ("TrashCan", "TrashCan 1.0", "underwater", "train (instance task)", 5936, 9540,
     "http://hdl.handle.net/11299/214865", "free for academic teaching and research",
     _coco("instances_train_trashcan.json of the instance version.")),
    ("GTEA", "Georgia Tech Egocentric Activity datasets", "egocentric", "train (segmenting hands)", 652, 1208,
     "https://cbs.ic.gatech.edu/fpv/", _SEE, _maps("Its hand masks are maps of one region.")),
)  # fmt: skip

SUITE: tuple[SuiteDataset, ...] = tuple(
    SuiteDataset(
        key=abbreviation.lower(),
        abbreviation=abbreviation,
        title=title,
        image_type=image_type,
        split=split,
        pictures=pictures,
        masks=masks,
        where=where,
        licence=licence,
        form=form,
        recipe=recipe,
    )
    for abbreviation, title, image_type, split, pictures, masks, where, licence, (form, recipe) in _ROWS
)
"""In the order of the paper's table 7."""

_ALIASES = {"dsbowl2018": "bbbc038v1"}
"""Sets that are known under another name too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentData:
    """What an experiment other than single point is made on; it is read as it is published."""

    key: str
    title: str
    where: str
    """Its page."""
    licence: str
    """As known to us; read it there."""
    split: str
    """Which part of it the paper took."""
    recipe: str
    """What has to lie where."""
    commands: tuple[str, ...]
    """What is run on it then."""
    files: tuple[str, ...]
    """Parts of file or folder names, in lower case, by which it is known when it is not there."""


_COCO_PICTURES = "COCO's pictures (val2017.zip and train2017.zip of https://cocodataset.org) into coco/"
_DETECTOR = (
    "A detector's results are a COCO results json with boxes and masks, as detectron2 writes it; the paper's is "
    "ViTDet-H (projects/ViTDet there)."
)

EXPERIMENT_DATA: tuple[ExperimentData, ...] = (
    ExperimentData(
        key="bsds500",
        title="Berkeley Segmentation Data Set 500",
        where="University of California, Berkeley, Computer Vision Group, Segmentation resources: BSR_bsds500.tgz",
        licence="non-commercial research and education",
        split="test, 200 pictures with about 5 annotators each",
        recipe="Unpack it: BSR/BSDS500/data has images/test and groundTruth/test. Give BSR.",
        commands=("anymask evaluate edges --data BSR",),
        files=("bsr", "bsds"),
    ),
    ExperimentData(
        key="lvis_v1",
        title="Large Vocabulary Instance Segmentation v1",
        where="https://www.lvisdataset.org: lvis_v1_val.json",
        licence="annotations CC BY 4.0; COCO's pictures under their own Flickr licences",
        split="validation, 19,809 pictures",
        recipe=f"{_COCO_PICTURES}; its pictures are of both. {_DETECTOR}",
        commands=(
            "anymask evaluate proposals --annotations lvis_v1_val.json --pictures coco",
            "anymask evaluate instances --annotations lvis_v1_val.json --pictures coco --boxes vitdet.json "
            "--results vitdet=vitdet.json",
        ),
        files=("lvis_v1",),
    ),
    ExperimentData(
        key="coco",
        title="Common Objects in Context 2017",
        where="https://cocodataset.org: annotations_trainval2017.zip, val2017.zip",
        licence="annotations CC BY 4.0; pictures under their own Flickr licences",
        split="validation, 5,000 pictures",
        recipe=f"Unpack both. {_DETECTOR}",
        commands=(
            "anymask evaluate instances --annotations instances_val2017.json --pictures val2017 --boxes vitdet.json "
            "--results vitdet=vitdet.json",
            "anymask evaluate text --annotations instances_val2017.json --pictures val2017 --model MODEL",
        ),
        files=("instances_val2017", "instances_train2017", "val2017"),
    ),
)
"""Of edges, proposals, instances and text."""


def experiment_data(name: str) -> ExperimentData | None:
    """What is called `name`; None where nothing is."""
    return next((one for one in EXPERIMENT_DATA if one.key == name.lower()), None)


def page_for(path: Path) -> str | None:
    """How to get what `path`, which is not there, seems to be meant for: the page of a dataset of the suite where the
    last part of the path is its name, or of another experiment's data where it holds one of its file names; None where
    it is neither.
    """
    name = path.name.lower()
    try:
        return how_to_get(suite_dataset(name), path.parent)
    except ConfigError:
        known = (one for one in EXPERIMENT_DATA if any(part in name for part in one.files))
        found = next(known, None)
    return None if found is None else how_to_get_data(found)


def suite_dataset(name: str) -> SuiteDataset:
    """The dataset called `name`: its key, its abbreviation, or another name it is known under.

    Raises: ConfigError for another name.
    """
    wanted = _ALIASES.get(name.lower(), name.lower())
    for one in SUITE:
        if one.key == wanted:
            return one
    known = ", ".join([*(one.key for one in SUITE), *(one.key for one in EXPERIMENT_DATA)])
    raise ConfigError(f"unknown dataset {name!r}; known are {known}")


def abbreviation_of(set_name: str) -> str | None:
    """What the paper calls the set of that name; None when it is not of the suite."""
    try:
        return suite_dataset(set_name).abbreviation
    except ConfigError:
        return None


def how_to_get(one: SuiteDataset, root: Path) -> str:
    """A page of text: where the dataset is to be had, and what has to lie where below `root`."""
    folder = root / one.key
    shape = f"{one.form}/" if one.form in ("maps", "polygons") else one.form
    return "\n".join(
        [
            f"{one.abbreviation}: {one.title} ({one.image_type})",
            f"  where      {one.where}",
            f"  licence    {one.licence}",
            f"  split      {one.split}; the paper sampled {one.pictures:,} pictures with {one.masks:,} masks",
            f"  put        pictures into {folder / 'images'}, labels into {folder / shape}",
            f"  how        {one.recipe}",
            f"  then       anymask evaluate points --suite {root} --targets paper",
        ]
    )


def how_to_get_data(one: ExperimentData) -> str:
    """A page of text: where another experiment's data is to be had, what has to lie where, and what is run then."""
    then = [f"  {'then' if index == 0 else '':<10} {command}" for index, command in enumerate(one.commands)]
    return "\n".join(
        [
            f"{one.key}: {one.title}",
            f"  where      {one.where}",
            f"  licence    {one.licence}",
            f"  split      {one.split}",
            f"  how        {one.recipe}",
            *then,
        ]
    )


def split_suite(root: Path) -> tuple[list[SuiteDataset], list[SuiteDataset]]:
    """The datasets of the suite that lie below `root`, and those that do not."""
    there = [one for one in SUITE if (root / one.key / "images").is_dir()]
    return there, [one for one in SUITE if one not in there]
