"""Words of the trade that facts and decisions are made of: money, places, carriers, clocks, rates."""
