"""W' -> X Y -> two boosted jets with two prongs each: the signal of notebook 09."""

from hepflows.generators import dijets

# Numbers 9000001 and 9000002 are free for new particles. X has the charge of the W', so that it can decay to XY.
SIGNAL_SETTINGS = (
    "NewGaugeBoson:ffbar2Wprime = on",
    "34:m0 = 3500.",
    "34:mWidth = 10.",
    "34:doForceWidth = on",
    "34:mMin = 3000.",
    "34:mMax = 4000.",
    # name, antiparticle, 2 s + 1, 3 * charge, colour, mass, width, lowest and highest mass (GeV), lifetime
    "9000001:new = X+ X- 1 3 0 500. 0.5 480. 520. 0.",
    "9000001:isResonance = on",
    "9000001:addChannel = 1 1.0 101 2 -1",
    "9000002:new = Y Y 1 0 0 100. 0.1 95. 105. 0.",
    "9000002:isResonance = on",
    "9000002:addChannel = 1 1.0 101 1 -1",
    "34:oneChannel = 1 1.0 103 9000001 9000002",
    "PartonLevel:MPI = off",
)

PROCESS = dijets.Process(SIGNAL_SETTINGS, stream=5)
RECIPE = dijets.recipe("dijets_signal", PROCESS)
