"""LSTM whose cell attends over all inputs so far (Ismail et al. 2019, arXiv 1910.12370)."""

import torch
from torch import Tensor, nn


class InputCellAttentionLSTM(nn.Module):
    r"""LSTM with input-cell attention.

    The saliency of a plain LSTM vanishes for early inputs, because their gradient has to pass
    every later forget gate. Here the cell at time t sees a summary of all inputs up to t:

    .. math::
        A_t = \mathrm{softmax}_{s \le t}(W_2 \tanh(W_1 x_s + b_1) + b_2) \in R^{r \times t}, \quad
        m_t = \frac{1}{r} \sum_{k=1}^{r} (A_t X_t)_k

    and :math:`m_t` takes the place of :math:`x_t` in the LSTM's equations. As in the authors'
    published code the r attention hops are averaged (the paper writes the matrix :math:`A_t X_t`),
    both attention layers have a bias, all matrices start as Xavier uniform and all biases at 0.
    The attention logit of an input does not depend on t, so it is computed once per input.

    Args:
        input_size (int): D, features per time step.
        hidden_size (int): H, units of the LSTM.
        attention_hops (int): r of the paper. Defaults to 20.
        attention_size (int): d_a of the paper. Defaults to 50.

    Example:
        >>> cell = InputCellAttentionLSTM(300, 256)
        >>> output, (hidden, state) = cell(torch.zeros(2, 30, 300))
        >>> output.shape, hidden.shape
        (torch.Size([2, 30, 256]), torch.Size([1, 2, 256]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        attention_hops: int = 20,
        attention_size: int = 50,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.attention = nn.Sequential(
            nn.Linear(input_size, attention_size),
            nn.Tanh(),
            nn.Linear(attention_size, attention_hops),
        )
        # nn.LSTM's own kernels run the recurrence; its two biases add up to the paper's one.
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as the authors' code does: Xavier uniform matrices, zero biases."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)

    def attention_weights(self, inputs: Tensor) -> Tensor:
        """Attention of every time step over the inputs up to it.

        Args:
            inputs (Tensor): [N, T, D].

        Returns:
            Tensor: [N, r, T, T]; entry (t, s) is the weight of input s at time t, 0 for s > t,
            and each row sums to 1.
        """
        logits = self.attention(inputs).transpose(1, 2)  # [N, r, T]
        steps = inputs.shape[1]
        future = torch.ones(steps, steps, dtype=torch.bool, device=inputs.device).triu(1)
        logits = logits.unsqueeze(2).expand(-1, -1, steps, -1)
        return logits.masked_fill(future, -torch.inf).softmax(dim=-1)

    def forward(self, inputs: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run the sequence.

        Args:
            inputs (Tensor): [N, T, D].

        Returns:
            tuple: Outputs [N, T, H] and (hidden [1, N, H], cell [1, N, H]), as ``nn.LSTM``.
        """
        summary = self.attention_weights(inputs).mean(dim=1) @ inputs  # [N, T, D]
        return self.lstm(summary)
