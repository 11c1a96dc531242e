"""The showers that ship: made again, and against Geant4's in the same calorimeter.

Geant4 figures: 51 showers of e+, the average photon shower and the pi+ of the public CaloGAN data. Bands are three
standard errors of 51 showers plus the difference of this simulation that the data cards name.
"""

import numpy as np
import pytest
from scipy.special import gammainc
from scipy.stats import kstest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from hepflows import datasets
from hepflows.datasets.table import read_table
from hepflows.generators.showers import gflash
from hepflows.generators.showers.layout import LAYER_SHAPES, LAYER_SLICES, sandwich
from hepflows.generators.showers.recipes import COLUMNS

NAMES = ("showers_eplus", "showers_gamma", "showers_piplus")
LAYERS = ("layer_0", "layer_1", "layer_2")
GEANT4_EVENTS = 51


@pytest.fixture(scope="module", params=NAMES)
def any_table(request):
    return datasets.load(request.param, "all")


@pytest.fixture(scope="module")
def eplus():
    return datasets.load("showers_eplus", "all")


@pytest.fixture(scope="module")
def gamma():
    return datasets.load("showers_gamma", "all")


@pytest.fixture(scope="module")
def piplus():
    return datasets.load("showers_piplus", "all")


def layer_energies(table):
    """Energy of each layer [GeV]: (events, 3), float64."""
    return np.stack([table[layer].astype(np.float64).sum(axis=(1, 2)) for layer in LAYERS], axis=1)


def width(cells, pitch):
    """Energy-weighted standard deviation [mm] along the last axis, shower by shower, and whether there is energy."""
    profile = cells.astype(np.float64).sum(axis=1)
    total = profile.sum(axis=1)
    place = (np.arange(profile.shape[1]) - (profile.shape[1] - 1) / 2) * pitch
    mean, square = (profile @ place**power / total for power in (1, 2))
    return np.sqrt(square - mean**2)


def assert_near(values, published, documented):
    """Mean of showers against that of 51 of Geant4's: three standard errors and the documented difference."""
    error = np.std(values) * np.sqrt(1 / GEANT4_EVENTS + 1 / len(values))
    assert abs(np.mean(values) - published) < 3 * error + documented


# --- as they ship -----------------------------------------------------------------------------------------------------


@pytest.mark.simulate
@pytest.mark.parametrize(("name", "events"), [(NAMES[0], 250), (NAMES[1], 250), (NAMES[2], 500)])
def test_first_events_are_generated_again(tmp_path, name, events):
    from hepflows.generators import generate

    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    seed = datasets.card(name).fields["seed"]
    again = read_table(generate(name, events=events, workers=1, seed=seed, out=tmp_path / "a.h5", progress=False))
    table = datasets.load(name, "all")
    for column in table.columns:
        np.testing.assert_array_equal(again[column], table[column][:events])


@pytest.mark.simulate
def test_workers_leave_no_trace(tmp_path):
    from hepflows.generators import generate

    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    files = [
        generate("showers_piplus", events=300, workers=workers, seed=5, out=tmp_path / f"{workers}.h5", progress=False)
        for workers in (1, 2)
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_columns_are_those_of_the_recipe(any_table):
    card = datasets.card(any_table.name).columns
    assert {column.name: (column.unit, column.description, list(column.shape)) for column in COLUMNS} == {
        name: (about["unit"], about["description"], about.get("shape", [])) for name, about in card.items()
    }
    for column in COLUMNS:
        assert any_table[column.name].shape == (len(any_table), *column.shape)


def test_energies_are_uniform_and_conserved(any_table):
    energy = any_table["energy"].astype(np.float64)
    assert kstest(energy, "uniform", (1, 99)).pvalue > 1e-4
    # Two electron masses more, from the annihilation of a positron, and what the rounding to levels adds.
    assert np.all(layer_energies(any_table).sum(axis=1) <= (energy + 1.1e-3) * 1.005)


def test_calorimeter_is_symmetric(any_table):
    for layer in LAYERS:
        cells = any_table[layer].astype(np.float64)
        for axis in (1, 2):
            half = cells.shape[axis] // 2
            low, high = (np.take(cells, rows, axis=axis).sum(axis=(1, 2)) for rows in (range(half), range(-half, 0)))
            difference = low - high
            assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(cells))


@pytest.mark.simulate
@pytest.mark.parametrize(("kind", "annihilated"), [("e+", 2), ("e-", 0), ("gamma", 0)])
def test_every_energy_is_accounted_for(rng, kind, annihilated):
    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    from hepflows.generators.showers.cross_sections import ELECTRON_MASS
    from hepflows.generators.showers.simulate import electromagnetic_showers

    energies = rng.uniform(5, 1e4, 60)
    deposits, lost = electromagnetic_showers(kind, energies, rng)
    assert np.all(deposits >= 0) and np.all(lost >= 0)
    np.testing.assert_allclose(deposits.sum(axis=1) + lost, energies + annihilated * ELECTRON_MASS, rtol=1e-10)


# --- against Geant4 ---------------------------------------------------------------------------------------------------


def test_positrons_against_geant4(eplus):
    layers = layer_energies(eplus)
    total = layers.sum(axis=1)
    assert_near(total / eplus["energy"], 0.9942, documented=0.001)
    for fraction, published in zip((layers / total[:, None]).T, (0.193, 0.806, 0.0017), strict=True):
        assert_near(fraction, published, documented=0.003 * (published > 0.01))
    for layer, published in zip(LAYERS, (0.449, 0.795, 0.285), strict=True):
        assert_near((eplus[layer] > 0).mean(axis=(1, 2)), published, documented=0.02)


def test_widths_of_positrons_against_geant4(eplus):
    assert_near(width(eplus["layer_1"].swapaxes(1, 2), 40.0), 29.6, documented=0.3)
    # The known defect: the halo of layer 0 is too weak.
    assert_near(width(eplus["layer_0"], 5.0), 16.9, documented=1.7)
    halo = eplus["layer_0"][:, ::2].astype(np.float64).sum() / eplus["layer_0"].astype(np.float64).sum()
    assert 0.0075 < halo < 0.012


def test_average_photon_against_geant4(gamma):
    layers = layer_energies(gamma)
    share = layers.sum(axis=0) / layers.sum()
    for found, published in zip(share, (0.1147, 0.8828, 0.0025), strict=True):
        assert found == pytest.approx(published, abs=0.006 if published > 0.01 else 0.0004)


def test_toy_pions_against_geant4(piplus):
    layers = layer_energies(piplus)
    total = layers.sum(axis=1)
    low = total < 2.4
    assert low.mean() == pytest.approx(0.42, abs=0.03)
    # Energies of those that only ionise: 65, 280 and 26 MeV in Geant4; the toy's are 15 % lower in layer 1.
    ionising = total < 0.5
    for found, published in zip(np.median(layers[ionising], axis=0), (0.065, 0.280, 0.026), strict=True):
        assert found == pytest.approx(published, rel=0.2)


# --- longitudinal development -----------------------------------------------------------------------------------------


def test_depth_of_the_maximum(eplus):
    """The mean profile is a gamma distribution, b = 0.5 and t_max = ln(E / E_c) - 0.5 (PDG review)."""
    length, _, critical, _ = sandwich()
    fraction = layer_energies(eplus)[:, 0] / eplus["energy"]
    b, depths = 0.5, np.linspace(2, 12, 2001)
    first_layer = gammainc(b * depths + 1, b * 90 / length)
    logs, maxima = [], []
    for low, high in ((2, 5), (8, 14), (25, 40), (70, 100)):
        chosen = (eplus["energy"] > low) & (eplus["energy"] < high)
        logs.append(np.mean(np.log(eplus["energy"][chosen] * 1000 / critical)))
        maxima.append(depths[np.argmin(np.abs(first_layer - fraction[chosen].mean()))])
    slope, offset = np.polyfit(logs, maxima, 1)
    assert slope == pytest.approx(1.0, abs=0.1)
    assert np.mean(np.array(maxima) - np.array(logs)) == pytest.approx(-0.5, abs=0.3)
    assert np.all(np.diff(maxima) > 0.5)


def test_gflash_conserves_energy_and_follows_its_profile(rng):
    energies = np.full(400, 5e4)
    deposits = gflash.showers("e+", energies, rng)
    # What lies behind the calorimeter is missing: less than 1 %.
    kept = deposits.sum(axis=1) / energies
    assert np.all(kept <= 1 + 1e-9) and kept.mean() > 0.99
    log_depth, log_alpha, *_ = gflash.longitudinal(energies[:1])
    alpha = np.exp(log_alpha[0])
    beta = (alpha - 1) / np.exp(log_depth[0])
    length = sandwich()[0]
    ends = gammainc(alpha, beta * np.array([90, 437, 480]) / length)
    expected = np.diff(ends, prepend=0)
    groups = [*LAYER_SLICES]
    found = [deposits[:, where].sum(axis=1) + deposits[:, 504 + layer] for layer, where in enumerate(groups)]
    for share, mean in zip(np.array(found) / energies, expected, strict=True):
        # The mean of the fluctuating profiles is not the profile of the means: a few per cent of the shower.
        assert share.mean() == pytest.approx(mean, abs=0.015)


def test_gflash_photons_start_deeper(rng):
    energies = np.full(300, 2e4)
    first = [gflash.showers(kind, energies, rng)[:, :288].sum(axis=1).mean() for kind in ("e+", "gamma")]
    assert first[1] < 0.8 * first[0]


def test_gflash_radial_profile(rng):
    """Share of layer 1 within the four central cells, against the integral of the two rings over them."""
    energies = np.full(300, 5e4)
    deposits = gflash.showers("e+", energies, rng)[:, LAYER_SLICES[1]].reshape(-1, *LAYER_SHAPES[1])
    inner = deposits[:, 5:7, 5:7].sum(axis=(1, 2)) / deposits.sum(axis=(1, 2))
    length, _, _, moliere = sandwich()
    log_depth, log_alpha, *_ = gflash.longitudinal(energies[:1])
    alpha, depth = np.exp(log_alpha[0]), np.exp(log_depth[0])
    t = np.linspace(90, 437, 400) / length
    weight = t ** (alpha - 1) * np.exp(-(alpha - 1) / depth * t)
    core, tail, share = gflash.radial(t / depth, np.log(50.0))
    points = rng.uniform(0, 2 * np.pi, 4000)
    draw = rng.random((4000, 1))
    inside = []
    for radius in (core, tail):
        r = radius * np.sqrt(draw / (1 - draw)) * moliere
        inside.append(((np.abs(r.T * np.cos(points)) < 40) & (np.abs(r.T * np.sin(points)) < 40)).mean(axis=1))
    expected = np.average(share * inside[0] + (1 - share) * inside[1], weights=weight)
    assert inner.mean() == pytest.approx(expected, abs=0.03)


# --- storage ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raw():
    """1,600 e+ of 1 to 6 GeV as they are simulated (steps are coarser at low energy): energies and layers."""
    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    from hepflows.generators.showers.simulate import electromagnetic_showers

    generator = np.random.default_rng(8)
    energies = generator.uniform(1e3, 6e3, 1600)
    cells = electromagnetic_showers("e+", energies, generator)[0] / 1000
    layers = [cells[:, where].reshape(-1, *shape) for where, shape in zip(LAYER_SLICES, LAYER_SHAPES, strict=True)]
    return energies / 1000, layers


def stored(layers):
    return [column.stored(cells).astype(np.float64) for column, cells in zip(COLUMNS[1:], layers, strict=True)]


def total(layers):
    return sum(cells.sum(axis=(1, 2)) for cells in layers)


@pytest.mark.simulate
def test_levels_move_no_cell_and_no_sum(raw):
    energies, layers = raw
    for cells, moved in zip(layers, stored(layers), strict=True):
        seen = cells > 1e-7
        # Half of the step, E / (30 + 15 sqrt(E / MeV)), and float32.
        bound = 0.51 / (30 + 15 * np.sqrt(cells[seen] * 1000))
        assert np.all(np.abs(moved[seen] / cells[seen] - 1) < bound)
        assert np.all(moved[cells == 0] == 0)
    # Against the natural spread of the sum, the narrowest quantity: in quadrature, less than one per cent of it.
    change = total(stored(layers)) / total(layers)
    assert np.std(change) < 0.1 * np.std(total(layers) / energies)


@pytest.mark.simulate
def test_classifier_does_not_see_the_levels(raw):
    energies, layers = raw
    busiest = np.argsort(np.concatenate([cells.mean(axis=0).ravel() for cells in layers]))[-60:]

    def features(layers):
        cells = np.concatenate([layer.reshape(len(layer), -1) for layer in layers], axis=1)[:, busiest]
        sums = np.stack([layer.sum(axis=(1, 2)) for layer in layers], axis=1)
        logs = [np.log10(values + 1e-7) for values in (cells, sums, energies[:, None])]
        return np.concatenate([*logs, total(layers)[:, None] / energies[:, None]], axis=1)

    # Different showers on both sides, so that nothing but the storage can tell them apart.
    half = len(energies) // 2
    x = np.concatenate([features(layers)[:half], features(stored(layers))[half:]])
    y = np.repeat([0, 1], half)
    train, test = np.split(np.random.default_rng(1).permutation(len(x)), 2)
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x[train], y[train])
    auc = roc_auc_score(y[test], model.predict_proba(x[test])[:, 1])
    positive = y[test].sum()
    error = np.sqrt((len(test) + 1) / (12 * positive * (len(test) - positive)))
    assert abs(auc - 0.5) < 3 * error
