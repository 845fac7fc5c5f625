"""What a replay leaves behind: one outcome for each request, tables, histograms, plots, a report."""
