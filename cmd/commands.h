// SPDX-License-Identifier: MIT
// The subcommands: COMMAND(name, arguments, one line, more, examples). A row makes the enum value, the declaration
// and the table entry; help, man page and tests walk the same rows. Included several times, so without a guard.
// An example is a line of shell; several are separated by newlines.

COMMAND(run, "[-m MODEL] [options] [PROMPT...]", "answer a prompt; the command when none is named",
        "The message is the words of PROMPT, then each --file in order, then standard input when that is not a "
        "terminal, with a blank line between them. A model with a chat template gets it as a user's turn and answers; "
        "a model without one continues the text. Standard output carries the answer and nothing else.",
        "pith -m SmolLM2 \"Name three rivers.\"\n"
        "git diff | pith -m qwen2.5 \"Write a commit message for this change.\"\n"
        "pith -m SmolLM2 --temp 0 -n 100 -f notes.txt \"Summarise.\"\n"
        "pith -m gemma-3 --raw \"The capital of France is\"")
COMMAND(
    chat, "[-m MODEL] [options] [FILE]", "hold a conversation",
    "On a terminal: type, and Enter asks; Alt-Enter or a pasted text makes several lines; Ctrl-C ends an answer, "
    "Ctrl-D the chat; /help lists the commands. Otherwise standard input is one turn (--lines: a turn a line) and "
    "nothing is prompted for; without any, the last turn of FILE is answered. FILE keeps the conversation: it is "
    "read at the beginning if it exists, and every turn is appended. It is plain text to be edited at will: a line "
    "'## user', '## assistant', '## system' or '## tool' begins a turn, blank lines around a turn do not count, and "
    "a line of a turn that looks so itself has a backslash in front. Answers of this run keep the tokens that they "
    "were generated as, and only what is new in the conversation is evaluated.",
    "pith chat -m SmolLM2\n"
    "echo 'Name three rivers.' | pith chat -m SmolLM2 notes.md\n"
    "printf 'Hi\\nWhat did I say?\\n' | pith chat -m SmolLM2 --lines")
COMMAND(info, "MODEL [--json] [--tensors]", "say what a model file is",
        "Architecture, parameters, formats, context, vocabulary, template and the memory that a run needs. Reads the "
        "header only, so it works on files without tensors and of unknown architectures too.",
        "pith info models/SmolLM2-135M-Instruct.Q4_1.gguf\n"
        "pith info --supported")
COMMAND(tokenize, "-m MODEL [--special] [--json] [--decode]", "turn text into token ids, or back",
        "Reads standard input whole and prints its ids on one line, separated by spaces. With --json every line of "
        "input is a JSON string and every line of output a JSON array. With --decode the ids on standard input become "
        "text again.",
        "printf 'Hello' | pith tokenize -m SmolLM2\n"
        "printf '19556' | pith tokenize -m SmolLM2 --decode")
COMMAND(template, "[-m MODEL] [--template NAME] [--now T]", "render a chat template",
        "Standard input is a JSON object whose members are the template's variables: messages, tools, "
        "add_generation_prompt and any other. Prints exactly the text that comes of it. The template is the "
        "one that NAME is, or the model's.",
        "echo '{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}' | pith template -m Smol")
COMMAND(logits, "-m MODEL --ids N,N,... [-o FILE]", "write the logits of every position",
        "Float32, little-endian, one row of the vocabulary's size for each id. The bits do not depend on --chunk and "
        "--threads.",
        "pith logits -m SmolLM2 --ids 19556,28 -o logits.bin")
COMMAND(embed, "-m MODEL [--pooling HOW] [--ids N,N,...] [-o FILE] [<TEXT]", "turn a text into a vector",
        "Float32, little-endian. The text on standard input, with the special tokens that the model wants, or the ids, "
        "become one vector, that is not normalized; with --pooling none one for each token; with --pooling rank the "
        "scores of a reranker. Keys and values are kept as f32.",
        "pith embed -m Qwen3-Embedding <notes.txt >notes.f32\n"
        "pith embed -m SmolLM2 --pooling mean --ids 19556,28 -o vector.f32")
COMMAND(perplexity, "-m MODEL [-c N] [FILE]", "measure how well a model predicts a text",
        "Prints one JSON object: tokens (ids that were scored), nll (their mean negative logarithm of probability, "
        "natural), ppl (its exponential) and context. The text of FILE or of standard input is cut into windows of "
        "--context ids, which begin with BOS if the file says so; every id but the first of a window is scored.",
        "pith perplexity -m SmolLM2 README.md")
COMMAND(
    bench, "-m MODEL [-p N] [-n N] [--depth N] [--sweep] [--kernels]", "measure speed on this machine",
    "Prefill is -p random ids into an empty session, with the logits of the last; decode is -n single steps from "
    "an empty context. read_gbps is the weights read per second of decoding, machine_gbps what plain reads of the "
    "same file reach with the same threads. Everything runs once untimed before. On a terminal, bars show the shares.",
    "pith bench -m SmolLM2 -t 2 --json\n"
    "pith bench --kernels")
COMMAND(
    quantize, "[--pure] [--imatrix FILE] IN OUT TYPE", "write a model file with its tensors in other formats",
    "TYPE is a format or one of the usual mixes, such as Q4_K_M, which give the tensors that matter more more bits. "
    "Norms, routers, convolutions and vectors stay as they are; rows that do not divide into the blocks of a format "
    "get one with smaller blocks. F32 decodes everything. OUT appears when it is complete, and replaces a file of "
    "that name; IN may be a split file.",
    "pith quantize model-F16.gguf model-Q4_K_M.gguf Q4_K_M\n"
    "pith quantize --tensor ffn_down=Q6_K --dry-run in.gguf out.gguf Q4_K_S")
COMMAND(imatrix, "-m MODEL -o FILE [--fresh] TEXT...", "learn which weights matter, for quantize",
        "Evaluates the text files in windows of --context ids and adds up the squares of every matrix's inputs: what "
        "--imatrix of quantize reads. An existing FILE is added to. Text like that which the model is used for serves "
        "best; some hundred windows are enough.",
        "pith imatrix -m model-F16.gguf -o model.imatrix notes.txt code.c\n"
        "pith quantize --imatrix model.imatrix model-F16.gguf small.gguf IQ3_XXS")
COMMAND(
    compare, "A B [--json] <TEXT", "say what a smaller file of a model costs",
    "Reads a text from standard input with both models and prints the mean Kullback-Leibler divergence of B's "
    "predictions against A's, how often both find the same token likeliest, and perplexity, speed and size of both.",
    "pith compare model-F16.gguf model-Q4_K_M.gguf <notes.txt")
COMMAND(check, "FILE [--json]", "say whether a model file is sound",
        "Structure, shapes against the architecture, scales and weights that are not finite, vocabulary and template. "
        "Reads the whole file once. Prints one line; the status is 1 when something is wrong. --json tells everything "
        "that was found.",
        "pith check models/SmolLM2-135M-Instruct.Q4_1.gguf && echo sound")
COMMAND(help, "[COMMAND] [--man]", "show the help of a command",
        "Without a name, that of run. With --man: the manual page of all commands, in roff.", "pith help bench")
