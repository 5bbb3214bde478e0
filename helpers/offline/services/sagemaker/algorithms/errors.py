"""How an algorithm says what went wrong: the customer's mistake, or its own failure."""


class UserError(Exception):
    """The XGBoost container's word for a mistake in the data or the hyperparameters."""


class AlgorithmError(Exception):
    """The XGBoost container's word for a failure of the training itself."""


class CustomerError(Exception):
    """A mistake that Linear Learner or k-NN reports as a ClientError: exit code 2."""
