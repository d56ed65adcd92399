<?php
// A chat's back end in PHP, without packages: `WEBHOOK_SECRET=whsec_… php -S 127.0.0.1:3000 php.php`.
// For a chat that is more than an example: PHP-FPM behind a web server.

declare(strict_types=1);

/** Whether the gateway has signed a body: https://www.standardwebhooks.com. */
function is_signed(string $body): bool
{
    $header = fn (string $name): string => $_SERVER['HTTP_WEBHOOK_' . $name] ?? '';
    $time = $header('TIMESTAMP');
    if (abs(time() - (int) $time) > 300) {
        return false;
    }
    $key = base64_decode(substr((string) getenv('WEBHOOK_SECRET'), strlen('whsec_')));
    $hash = hash_hmac('sha256', "{$header('ID')}.$time.$body", $key, true);
    $expected = 'v1,' . base64_encode($hash);
    // There are two while a secret is being replaced.
    foreach (explode(' ', $header('SIGNATURE')) as $signature) {
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

function answer(array $body, int $status = 200): never
{
    http_response_code($status);
    header('content-type: application/json');
    // Without members it is an object all the same.
    exit(json_encode((object) $body, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES));
}

$body = file_get_contents('php://input');
if (!is_signed($body)) {
    answer(['message' => 'not signed by the gateway'], 401);
}
// As objects: in arrays, {} would become [] on its way back.
$call = json_decode($body);
$socket = $call->socket;
$name = $socket->data->name ?? null;

switch ($call->type) {
    // Who may come in, what is known of them, and where they are.
    case 'connect':
        $name = $call->auth->name ?? null;
        if (!$name) {
            answer(['message' => 'who are you?', 'data' => ['missing' => 'name']], 403);
        }
        $arrived = ['event' => 'arrived', 'args' => [$name], 'rooms' => ['lobby'], 'except' => [$socket->id]];
        answer(['data' => ['name' => $name], 'rooms' => ['lobby'], 'actions' => [['emit' => $arrived]]]);

    case 'event':
        $args = $call->args;
        switch ($call->event) {
            case 'say':
                $said = ['event' => 'said', 'args' => [$name, ...$args], 'rooms' => ['lobby']];
                $said['attachments'] = $call->attachments ?? [];
                answer(['ack' => 'said', 'actions' => [['emit' => $said]]]);
            case 'rename':
                answer(['ack' => "$name is $args[0]", 'data' => ['name' => $args[0]]]);
            case 'move':
                $moved = ['event' => 'moved', 'args' => $args];
                answer(['actions' => [['leave' => ['leave' => ['lobby']]], ['join' => ['join' => $args]], ['emit' => $moved]]]);
            case 'leave':
                answer(['actions' => [['emit' => ['event' => 'bye']], ['disconnect' => (object) []]]]);
            default:
                answer(['message' => "what is $call->event?"], 404);
        }

    case 'disconnect':
        $left = ['event' => 'left', 'args' => [$name, $call->reason], 'rooms' => ['lobby']];
        answer(['actions' => [['emit' => $left]]]);

    default:
        answer([]);
}
