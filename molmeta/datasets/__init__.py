"""Where assays come from. A data set ends in tasks and knows no learner."""
