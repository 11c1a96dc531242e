"""The public data sets that `hepflows data download` fetches: where they are, and which of our columns they give."""

from collections.abc import Callable
from dataclasses import dataclass

from hepflows.datasets import originals
from hepflows.datasets.table import Column
from hepflows.errors import DataError

HDF5 = (".h5", ".hdf5")
PACKED = (".tar.gz", ".tgz", ".tar", ".zip")
# In the name of a file these say that its showers may be those of a network, and not of Geant4.
GENERATED = {"caloflow", "calogan", "flow", "gan", "teacher", "student", "samples", "sampled", "generated", "cls"}


@dataclass(frozen=True)
class Public:
    """A public data set: `choose(names)` picks its files among those of the archive, `read(paths)` an Original.

    `like` names the data set that ships and has the same columns.
    """

    name: str
    title: str
    description: str
    doi: str
    columns: tuple[Column, ...]
    choose: Callable
    read: Callable
    like: str


def _named(*expected):
    """Choose files by their exact names."""

    def choose(names):
        missing = [name for name in expected if name not in names]
        if missing:
            raise DataError(f"expected the file {', '.join(missing)} in the archive, it has {', '.join(names)}")
        return list(expected)

    return choose


def _of_particle(particle):
    """Choose the HDF5 files and packed folders whose names say the particle, and do not say a network."""

    def choose(names):
        data = [name for name in names if name.lower().endswith(HDF5 + PACKED)]
        chosen = [name for name in data if particle in (found := originals.words(name)) and not found & GENERATED]
        if not chosen and len(data) == 1 and data[0].lower().endswith(PACKED):
            return data  # one packed folder with everything: its members are chosen in the same way
        if not chosen:
            raise DataError(
                f"expected files with {particle} in their names, and nothing that stands for a network's showers, got "
                f"{', '.join(names)}; say with --files which ones hold Geant4's"
            )
        return chosen

    return choose


SHOWER_COLUMNS = (
    Column("energy", "GeV", "energy of the particle"),
    *(
        Column(name, "GeV", f"energy deposited in the cells of {name.replace('_', ' ')}", shape=shape)
        for name, shape in originals.LAYER_SHAPES.items()
    ),
)

DIJET_COLUMNS = (
    Column("m_jj", "GeV", "invariant mass of the two jets"),
    Column("m_j1", "GeV", "mass of the lighter of the two jets"),
    Column("delta_m", "GeV", "mass of the heavier jet minus that of the lighter"),
    Column("tau21_j1", "1", "N-subjettiness ratio tau_2 / tau_1 of the lighter jet"),
    Column("tau21_j2", "1", "N-subjettiness ratio tau_2 / tau_1 of the heavier jet"),
)

PARTICLES = {"eplus": "positrons", "gamma": "photons", "piplus": "charged pions"}


def _showers(particle):
    return Public(
        name=f"geant4_showers_{particle}",
        title=f"Geant4 showers of {PARTICLES[particle]} in the calorimeter of CaloGAN",
        description=(
            "The showers on which CaloFlow was trained (arXiv:2106.05285, arXiv:2110.11377), simulated with Geant4 in "
            "the calorimeter of CaloGAN (arXiv:1712.10321): three layers with 288, 144 and 72 cells, energies uniform "
            "from 1 to 100 GeV. Cells are converted from MeV to GeV."
        ),
        doi="10.5281/zenodo.5904188",
        columns=SHOWER_COLUMNS,
        choose=_of_particle(particle),
        read=originals.read_showers,
        like=f"showers_{particle}",
    )


def _dijets(name, title, description, doi, file, read, like, further=()):
    description += (
        " The jets are ordered by mass; m_jj follows from the momenta and masses of the two jets; tau_21 of a jet with "
        "tau_1 = 0 is 0. Rows are sorted into train, validation and test, in each of them in the order of the original."
    )
    columns = (*DIJET_COLUMNS, *further)
    return Public(name, title, description, doi, columns, _named(file), read, like)


PUBLIC = {
    public.name: public
    for public in (
        *(_showers(particle) for particle in PARTICLES),
        _dijets(
            "lhc_olympics",
            "Dijets of the LHC Olympics: the R&D data set, QCD and a signal W' -> X Y",
            "The features of the R&D data set of the LHC Olympics 2020 (arXiv:2101.08320): Pythia 8 and Delphes, QCD "
            "dijets and a resonance of 3.5 TeV that decays to particles of 500 and 100 GeV, each to two quarks.",
            "10.5281/zenodo.4536377",
            "events_anomalydetection_v2.features.h5",
            originals.read_dijets,
            "dijets_background",
            (Column("signal", "1", "1 for the signal, 0 for QCD", dtype="uint8"),),
        ),
        _dijets(
            "lhc_olympics_extra_background",
            "Dijets of the LHC Olympics: further QCD events in the signal region",
            "QCD dijets like those of the R&D data set, made for CATHODE (arXiv:2109.00546) in and near its signal "
            "region.",
            "10.5281/zenodo.5759087",
            "events_anomalydetection_qcd_extra_inneronly_features.h5",
            originals.read_background_dijets,
            "dijets_signal_region",
        ),
    )
}
