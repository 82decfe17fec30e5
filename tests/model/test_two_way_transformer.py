import pytest
import torch
from torch import Tensor

from anymask.model.two_way_transformer import Attention, TwoWayTransformer
from tests.public_sam import import_public_sam, randomise

DIM, CELLS = 32, 30


def test_attention_is_the_softmax_of_scaled_products() -> None:
    torch.manual_seed(0)
    attention = Attention(DIM, heads=2, downsample=2)
    q, k, v = (torch.randn(3, length, DIM) for length in (4, 9, 9))
    got = attention(q, k, v)
    pq, pk, pv = attention.q_proj(q), attention.k_proj(k), attention.v_proj(v)
    heads = []
    for head in (slice(0, 8), slice(8, 16)):
        weights = (pq[..., head] @ pk[..., head].transpose(1, 2) / 8**0.5).softmax(-1)
        heads.append(weights @ pv[..., head])
    torch.testing.assert_close(got, attention.out_proj(torch.cat(heads, -1)), atol=1e-5, rtol=1e-4)


def test_an_image_shared_by_all_prompts_equals_one_for_each() -> None:
    torch.manual_seed(0)
    model = TwoWayTransformer(dim=DIM, depth=2, heads=4, mlp_dim=64)
    tokens, image, position = torch.randn(3, 5, DIM), torch.randn(1, CELLS, DIM), torch.randn(1, CELLS, DIM)
    shared, each = model(tokens, image, position), model(tokens, image.expand(3, -1, -1), position)
    for one, other in zip(shared, each, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_tokens_and_image_agree_with_the_public_transformer(depth: int) -> None:
    public = (
        import_public_sam().modeling.TwoWayTransformer(depth=depth, embedding_dim=DIM, num_heads=4, mlp_dim=64).eval()
    )
    randomise(public)
    model = TwoWayTransformer(dim=DIM, depth=depth, heads=4, mlp_dim=64)
    model.load_state_dict(public.state_dict())
    tokens, image, position = torch.randn(2, 5, DIM), torch.randn(2, CELLS, DIM), torch.randn(2, CELLS, DIM)

    def as_map(x: Tensor) -> Tensor:
        return x.transpose(1, 2).reshape(2, DIM, 5, 6)

    expected = public(as_map(image), as_map(position), tokens)
    for one, other in zip(model(tokens, image, position), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    model = TwoWayTransformer(dim=DIM, depth=2, heads=4, mlp_dim=64, dropout=0.5)
    arguments = torch.randn(1, 5, DIM), torch.randn(1, CELLS, DIM), torch.randn(1, CELLS, DIM)
    assert not torch.equal(model(*arguments)[0], model(*arguments)[0])
    model.eval()
    assert torch.equal(model(*arguments)[0], model(*arguments)[0])


def test_the_epsilon_of_the_norms_matters() -> None:
    arguments = torch.randn(1, 5, DIM), torch.randn(1, CELLS, DIM), torch.randn(1, CELLS, DIM)
    answers = []
    for norm_eps in (1e-6, 1.0):
        torch.manual_seed(0)
        answers.append(TwoWayTransformer(dim=DIM, depth=1, heads=4, mlp_dim=64, norm_eps=norm_eps)(*arguments)[1])
    assert not torch.allclose(*answers, atol=1e-2)
