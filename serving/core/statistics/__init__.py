"""The statistics of rollouts, one file each: pure functions of counts and sums that SQL can make."""
