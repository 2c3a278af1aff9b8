"""The attention cell against the paper's equations, written out as loops."""

import torch

from mmsal.models import InputCellAttentionLSTM


def published_cell(cell: InputCellAttentionLSTM, inputs: torch.Tensor) -> torch.Tensor:
    """Ismail et al. 2019, equations of section 3, one sample and one step at a time."""
    first, _, second = cell.attention
    weights, recurrent = cell.lstm.weight_ih_l0, cell.lstm.weight_hh_l0
    bias = cell.lstm.bias_ih_l0 + cell.lstm.bias_hh_l0
    outputs = []
    for sample in inputs:
        hidden = state = torch.zeros(cell.hidden_size, dtype=inputs.dtype)
        steps = []
        for t in range(len(sample)):
            past = sample[: t + 1]  # X_t
            logits = torch.tanh(past @ first.weight.T + first.bias) @ second.weight.T + second.bias
            attention = torch.softmax(logits, dim=0).T  # A_t [r, t + 1]
            summary = (attention @ past).sum(dim=0) / len(attention)
            gates = weights @ summary + recurrent @ hidden + bias
            enter, forget, new, leave = gates.chunk(4)
            state = forget.sigmoid() * state + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * state.tanh()
            steps.append(hidden)
        outputs.append(torch.stack(steps))
    return torch.stack(outputs)


def test_equals_published_equations():
    torch.manual_seed(0)
    cell = InputCellAttentionLSTM(7, 5, attention_hops=3, attention_size=4).double()
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter)
    inputs = torch.randn(2, 6, 7, dtype=torch.float64)
    output, (hidden, _) = cell(inputs)
    torch.testing.assert_close(output, published_cell(cell, inputs))
    torch.testing.assert_close(hidden[0], output[:, -1])


def test_published_sizes_are_the_defaults():
    first, _, second = InputCellAttentionLSTM(300, 256).attention
    assert first.out_features == 50
    assert second.out_features == 20


def test_attention_sees_the_past_only():
    torch.manual_seed(0)
    cell = InputCellAttentionLSTM(4, 3)
    inputs = torch.randn(1, 5, 4)
    weights = cell.attention_weights(inputs)
    assert weights.shape == (1, 20, 5, 5)
    assert weights.triu(1).abs().max() == 0
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, 20, 5))
    changed = inputs.clone()
    changed[:, 3] += 1
    before, after = cell(inputs)[0], cell(changed)[0]
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert (before[:, 3:] - after[:, 3:]).abs().amax() > 1e-4


def test_early_inputs_keep_their_gradient():
    """What the cell is for: with a plain LSTM the gradient of the first frame all but vanishes."""
    torch.manual_seed(0)
    shares = []
    for cell in (torch.nn.LSTM(8, 6, batch_first=True), InputCellAttentionLSTM(8, 6)):
        inputs = torch.randn(4, 40, 8, requires_grad=True)
        cell(inputs)[0][:, -1].sum().backward()
        size = inputs.grad.abs().sum(dim=(0, 2))
        shares.append(float(size[:5].sum() / size.sum()))
    assert shares[0] < 1e-4
    assert shares[1] > 0.01
